from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

from fer_data.core.errors import UserError
from fer_data.ingestion.class_meanings import classes_of
from fer_data.ingestion.datasets import open_dataset
from fer_data.ingestion.layouts import LAYOUTS, Recognized, recognize
from tests.support.data.archives import image
from tests.support.data.datasets import (
    EIGHT,
    SEVEN,
    Files,
    labeled,
    pixel_table,
    split_class,
    write_folder,
    write_tar,
    write_zip,
)
from tests.support.data.recognition import LIMITS, labels_of, of, recognized


def splits_of(found: Recognized) -> dict[str, int]:
    return dict(Counter(face.original_split for face in found.faces))


EXAMPLES: Mapping[str, Files] = {
    "fer2013.csv": {"fer2013/fer2013.csv": pixel_table()},
    "CSV of emotion,pixels[,Usage]": {"faces.csv": pixel_table(SEVEN)},
    "SPLIT/CLASS/image": split_class(),
    "CSV of path,label[,split] beside images": labeled(),
    "CLASS/SPLIT/image": split_class(form="{label}/{split}/{number}.png"),
    "CLASS/image": split_class(splits=[""], form="{label}/{number}.png"),
}
"""An example of each layout."""


def test_each_layout_has_an_example() -> None:
    assert list(EXAMPLES) == [layout.name for layout in LAYOUTS]


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("write", [write_folder, write_zip], ids=["folder", "zip"])
def test_recognizes_each_layout_in_a_folder_and_in_a_zip(tmp_path: Path, name: str, write) -> None:
    found = recognized(write(tmp_path / "dataset", EXAMPLES[name]))
    assert found.layout.name == name
    assert found.expressions == SEVEN
    assert len(labels_of(found)) == 7
    assert ("testing" in splits_of(found)) == (name != "CLASS/image")
    assert not [one for one in found.left_out if one.is_face]


@pytest.mark.parametrize("name", ["fer2013.csv", "fer2013.tar.gz"])
def test_recognizes_fer2013_bare_and_in_a_tar(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    if name.endswith(".csv"):
        file.write_bytes(pixel_table())
    else:
        write_tar(file, {"fer2013/fer2013.csv": pixel_table(), "fer2013/README": b"text"})
    found = recognized(file)
    assert found.layout.name == "fer2013.csv"
    assert labels_of(found) == {
        **{"angry": {"0"}, "disgust": {"1"}, "fear": {"2"}, "happy": {"3"}},
        **{"sad": {"4"}, "surprise": {"5"}, "neutral": {"6"}},
    }
    assert splits_of(found) == {"training": 14, "testing": 28}


def test_kaggle_s_other_table_of_fer2013_is_taken_once(tmp_path: Path) -> None:
    files = {
        "icml_face_data.csv": pixel_table(header="emotion, pixels, Usage"),
        "train.csv": pixel_table(header="emotion,pixels,Usage"),
    }
    found = of(tmp_path, files)
    assert {face.found.member.path for face in found.faces} == {"icml_face_data.csv"}
    assert [one.source for one in found.left_out] == ["train.csv"]


def test_public_test_may_be_validation(tmp_path: Path) -> None:
    files = {"fer2013.csv": pixel_table()}
    found = of(tmp_path, files, public_test="validation")
    assert splits_of(found) == {"training": 14, "validation": 14, "testing": 14}
    names = {face.found.split for face in found.faces if face.original_split == "validation"}
    assert names == {"PublicTest"}


@pytest.mark.parametrize(
    ("name", "split"),
    [
        *(("train", "training"), ("Training", "training"), ("TEST", "testing")),
        *(("testing", "testing"), ("val", "validation"), ("valid", "validation")),
        *(("Validation", "validation"), ("PublicTest", "testing"), ("PrivateTest", "testing")),
    ],
)
def test_names_of_splits(tmp_path: Path, name: str, split: str) -> None:
    found = of(tmp_path, split_class(splits=["Train", f"a/{name}"]))
    assert splits_of(found)[split] >= 14
    assert set(splits_of(found)) == {"training", split}


@pytest.mark.parametrize(
    ("name", "label"),
    [
        *(("Anger", "angry"), ("ANGRY", "angry"), ("Happiness", "happy"), ("suprise", "surprise")),
        *(("fearful", "fear"), ("Contempt", "contempt"), ("Disgusted", "disgust")),
    ],
)
def test_names_of_classes(tmp_path: Path, name: str, label: str) -> None:
    found = of(tmp_path, split_class(["neutral", name]))
    assert labels_of(found)[label] == {name}


def test_folders_above_and_between_do_not_matter(tmp_path: Path) -> None:
    found = of(tmp_path, split_class(form="images/{split}/set 1/{label}/{number}.png"))
    assert splits_of(found) == {"training": 14, "testing": 14}
    assert found.layout.name == "SPLIT/CLASS/image"


@pytest.mark.parametrize(("classes", "num"), [(SEVEN, 7), (EIGHT, 8), (("happy", "sad"), 2)])
def test_the_classes_are_those_found(tmp_path: Path, classes: tuple[str, ...], num: int) -> None:
    found = of(tmp_path, split_class(classes))
    assert found.expressions == tuple(sorted(classes))
    assert len(found.expressions) == num


def test_the_order_of_the_workspace_stays_where_its_classes_do(tmp_path: Path) -> None:
    path = write_folder(tmp_path / "dataset", split_class(("sad", "happy")))
    with open_dataset(path, LIMITS) as dataset:
        assert recognize(dataset, expressions=("sad", "happy")).expressions == ("sad", "happy")


# What numbers mean.


def test_all_other_files_are_listed(tmp_path: Path) -> None:
    more = {"notes.txt": b"", "sample.png": image(99), "more.zip": b"", ".DS_Store": b""}
    found = of(tmp_path, {**split_class(), **more})
    assert {(one.source, one.reason, one.is_face) for one in found.left_out} == {
        ("notes.txt", "no image by its name", False),
        ("more.zip", "archive within", False),
        ("sample.png", "image that is not in SPLIT/CLASS/image", True),
    }


def test_rows_without_an_image_are_listed(tmp_path: Path) -> None:
    files = labeled()
    files["labels.csv"] += b"images/gone.png,sad,train\n../../etc/passwd,sad,train\nshort\n"
    reasons = [(one.source, one.reason) for one in of(tmp_path, files).left_out]
    assert reasons[:3] == [
        ("labels.csv, row 57", "row of an image that is not there"),
        ("labels.csv, row 58", "row of an image that is not there"),
        ("labels.csv, row 59", "row of another length"),
    ]


def test_an_image_under_two_labels_is_refused(tmp_path: Path) -> None:
    files = labeled()
    files["labels.csv"] += b"images/0.png,sad,train\n"
    with pytest.raises(
        UserError, match=r"row 57: images/0\.png is 'sad' 'train' there, and 'angry'"
    ):
        of(tmp_path, files)


def test_a_table_in_each_split_s_folder(tmp_path: Path) -> None:
    """As ImageFolder of Hugging Face has it."""
    files: Files = {}
    for split in ("train", "test"):
        names = [(f"{number}.png", label) for number, label in enumerate(SEVEN)]
        files |= {f"{split}/{name}": image(len(files) + 7) for name, _ in names}
        rows = "".join(f"{name},{label}\n" for name, label in names)
        files[f"{split}/metadata.csv"] = f"file_name,label\n{rows}".encode()
    found = of(tmp_path, files)
    assert found.layout.name == "CSV of path,label[,split] beside images"
    assert splits_of(found) == {"training": 7, "testing": 7}


def test_folders_go_before_a_table_that_says_the_same(tmp_path: Path) -> None:
    """As RAF-DB has it on Kaggle: folders of numbers, and a table of the same numbers."""
    files = split_class(
        [str(number) for number in range(1, 8)], form="{split}/{label}/{number}.png"
    )
    names = [name.split("/") for name in files]
    for split in ("train", "test"):
        rows = "".join(f"{name},{label}\n" for one, label, name in names if one == split)
        files[f"{split}_labels.csv"] = f"image,label\n{rows}".encode()
    found = of(tmp_path, files, classes=classes_of("RAFDB"))
    assert found.layout.name == "SPLIT/CLASS/image"
    assert splits_of(found) == {"training": 14, "testing": 14}


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({".DS_Store": b""}, "no layout that is known: it holds no file; expected fer2013"),
        (
            {"a.txt": b"x"},
            r"it holds neither an image nor a CSV, but files such as a\.txt; expected",
        ),
        (
            {"x.csv": b"emotion,usage\n3,Training\n"},
            r"it holds no image; x\.csv has no column of pixels \(pixels\) or of paths \(path, .*"
            r"but emotion, usage; expected",
        ),
        (
            {"x.csv": b"pixels,usage\n1 2,Training\n"},
            r"x\.csv has no column of labels \(label, emotion, expression, class\), but pixels, usage;",
        ),
        ({"x.csv": b""}, r"it holds no image; x\.csv is empty;"),
        ({"x.csv": b"emotion,pixels\n"}, r"it holds no image; x\.csv has no row;"),
        (
            {"x.csv": b"path,label\na/1.png,happy\n"},
            r"no row of its CSVs gives a face, such as x\.csv, row 1 \(row of an image that is",
        ),
        ({"1.png": image(1)}, r"its images, such as 1\.png, lie in no folder of a class;"),
        (
            {"fer2013.csv": b"emotion,pixels\n0,1,2\n3,1,2\n"},
            r"no row of its CSVs gives a face, such as fer2013\.csv, row 1 \(row of another length\);",
        ),
        (
            {"fer2013.csv": pixel_table([3], num_each=1) + b"0,1 2\n1,1 2\n"},
            r"\(fer2013\.csv\): 2 of 5 rows are left out, such as fer2013\.csv, row 4 \(row of another "
            r"length\); what is left of it has numbers for classes, '3'",
        ),
        (
            {"fer2013.csv": pixel_table(["happy"], num_each=1) + b"0,1 2\n1,1 2\n"},
            r": 2 of 5 rows are left out, such as fer2013\.csv, row 4 \(row of another length\); what "
            "is left of it has faces of happy alone, expected two classes or more",
        ),
        (
            {"fer2013.csv": pixel_table(usages=["PublicTest"]) + b"0,1 2\n"},
            r": 1 of 15 rows are left out, .* what is left of it has no face of Training, but of",
        ),
        ({"fer2013.tar.gz": b"x"}, r"fer2013\.tar\.gz is packed: unpack it, and add what is in it"),
        ({"fer-train.tfrecord-00000-of-00001": b"x"}, "is of TFRecords: write the images out"),
        (split_class(splits=["test"]), "has no face of Training, but of test alone"),
        (split_class(["happy"]), "has faces of happy alone, expected two classes or more"),
        ({"x.csv": b"emotion,pixels\n\xff\xfe,1\n"}, r"x\.csv is not UTF-8"),
        ({"x.csv": pixel_table(SEVEN, usages=("Training", "Other"))}, "a split 'Other', expected"),
        (
            {"x.csv": pixel_table(SEVEN), "y.csv": pixel_table(SEVEN)},
            r"has several CSVs of faces \(x\.csv, y\.csv\)",
        ),
        (
            split_class(["vacation", "office"]),
            r"'office' \(4\), 'vacation' \(4\): `--classes office",
        ),
    ],
)
def test_what_is_no_dataset_ends_in_one_line(tmp_path: Path, files: Files, message: str) -> None:
    with pytest.raises(UserError, match=message) as told:
        of(tmp_path, files)
    assert "\n" not in str(told.value)
