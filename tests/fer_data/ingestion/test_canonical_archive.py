import io
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fer_data.core.errors import UserError
from fer_data.ingestion.canonical_archive import (
    Written,
    is_canonical,
    write_canonical,
    write_mapping,
)
from fer_data.ingestion.class_meanings import Choices
from fer_data.ingestion.datasets import open_dataset
from fer_data.ingestion.ingest import take_faces
from fer_data.ingestion.layouts import recognize
from fer_data.stages.drawn_faces import ARCHIVE_COMMENT
from tests.support.data.archives import EXPRESSIONS, good_members, image, noise, write_archive
from tests.support.data.datasets import (
    SEVEN,
    Files,
    labeled,
    pixel_table,
    split_class,
    write_folder,
    write_tar,
    write_zip,
)
from tests.support.data.recognition import LIMITS


def convert(
    path: Path, target: Path | None, *, fraction: float = 0.01, **choices: object
) -> Written:
    """Writes a dataset as an archive, with its mapping beside it."""
    with open_dataset(path, LIMITS) as dataset:
        found = recognize(dataset, expressions=EXPRESSIONS, choices=Choices(**choices))  # pyright: ignore[reportArgumentType]
        written = write_canonical(dataset, found, target, max_rejected_fraction=fraction)
    if target:
        write_mapping(found, written, target.with_suffix(".csv"))
    return written


def members(file: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(file) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist()}


def canonical(path: Path, **choices: object) -> bool:
    with open_dataset(path, LIMITS) as dataset:
        found = recognize(dataset, expressions=EXPRESSIONS, choices=Choices(**choices))  # pyright: ignore[reportArgumentType]
        return is_canonical(dataset, found)


def test_images_are_copied_byte_for_byte(tmp_path: Path) -> None:
    files = split_class(("Happy", "sadness"), splits=("train", "val", "test"), kind="JPEG")
    convert(write_folder(tmp_path / "dataset", files), tmp_path / "archive.zip")
    splits = {"train": "Training", "val": "Validation", "test": "Testing"}
    classes = {"Happy": "happy", "sadness": "sad"}
    assert members(tmp_path / "archive.zip") == {
        f"{splits[split]}/{classes[label]}/{name}": data
        for (split, label, name), data in ((path.split("/"), data) for path, data in files.items())
    }


def test_pixels_become_images_that_lose_nothing(tmp_path: Path) -> None:
    file = tmp_path / "fer2013.csv"
    file.write_bytes(pixel_table(num_each=1))
    convert(file, tmp_path / "archive.zip")
    found = members(tmp_path / "archive.zip")
    assert len(found) == 21
    for name, number in (
        ("Training/angry/Training_000001.png", 0),
        ("Testing/angry/PublicTest_000008.png", 7),
        ("Testing/neutral/PrivateTest_000021.png", 20),
    ):
        with Image.open(io.BytesIO(found[name])) as opened:
            assert opened.mode == "L"
            np.testing.assert_array_equal(np.asarray(opened), noise(number))


@pytest.mark.parametrize("files", [split_class(), labeled(), {"fer2013.csv": pixel_table()}])
def test_the_bytes_depend_on_nothing_but_the_dataset(tmp_path: Path, files: Files) -> None:
    backwards = dict(reversed(files.items()))
    paths = [
        write_folder(tmp_path / "folder", files),
        write_folder(tmp_path / "again", backwards),
        write_zip(tmp_path / "x.zip", files),
        write_zip(tmp_path / "y.zip", {f"a/{name}": data for name, data in backwards.items()}),
    ]
    if "fer2013.csv" in files:
        paths.append(write_tar(tmp_path / "z.tar.gz", files))
    archives = set()
    for number, path in enumerate(paths):
        target = tmp_path / f"{number}.zip"
        convert(path, target)
        archives.add((target.read_bytes(), target.with_suffix(".csv").read_bytes()))
    assert len(archives) == 1


def test_the_mapping_says_what_became_of_each_name(tmp_path: Path) -> None:
    files = {**split_class(("Happy", "sad", "unknown"), num_each=3), "notes.txt": b""}
    path = write_folder(tmp_path / "dataset", files)
    convert(path, tmp_path / "archive.zip", skip=("unknown",))
    assert (tmp_path / "archive.csv").read_text().splitlines() == [
        "split,class,original_split,label,faces,left_out_for",
        "test,Happy,testing,happy,3,",
        "test,sad,testing,sad,3,",
        "train,Happy,training,happy,3,",
        "train,sad,training,sad,3,",
        ",,,,6,--skip unknown",
        ",,,,1,no image by its name",
    ]


def test_ingest_takes_the_very_faces(tmp_path: Path) -> None:
    files = split_class(("happy", "sad"), splits=("train", "val", "test"))
    convert(write_folder(tmp_path / "dataset", files), tmp_path / "archive.zip")
    intake = take_faces(
        tmp_path / "archive.zip", expressions=("happy", "sad"), limits=LIMITS, resize=False
    )
    assert len(intake.rejected) == 0
    cells = Counter(zip(intake.manifest["original_split"], intake.manifest["label"], strict=True))
    assert set(cells.values()) == {2}
    assert len(cells) == 6


def test_equal_names_keep_their_folders(tmp_path: Path) -> None:
    form = "{split}/{label}/{number}.png"
    files = split_class(("happy", "sad"), num_each=1, form=form)
    files["a/train/happy/0.PNG"] = image(99)
    convert(write_folder(tmp_path / "dataset", files), tmp_path / "archive.zip")
    assert set(members(tmp_path / "archive.zip")) == {
        *("Training/happy/train_happy_0.png", "Training/happy/a_train_happy_0.PNG"),
        *("Training/sad/1.png", "Testing/happy/2.png", "Testing/sad/3.png"),
    }


@pytest.mark.parametrize("prefix", ["", "archive/"])
def test_what_ingest_reads_already_is_canonical(tmp_path: Path, prefix: str) -> None:
    files = {f"{prefix}{name}": data for name, data in good_members().items()}
    assert canonical(write_archive(tmp_path / "x.zip", {**files, "__MACOSX/a": b""}))


@pytest.mark.parametrize(
    ("change", "choices"),
    [
        ({"notes.txt": b""}, {}),
        ({}, {"skip": ("Sad",)}),
        ({"PublicTest/Happy/x.png": image(99)}, {}),
        ({"train/set/Happy/x.png": image(99)}, {}),
        ({"Training/Smile/x.png": image(99)}, {"classes": {"smile": "happy"}}),
    ],
)
def test_what_ingest_reads_otherwise_is_not(tmp_path: Path, change: Files, choices) -> None:
    file = write_archive(tmp_path / "x.zip", {**good_members(), **change})
    assert not canonical(file, **choices)


def test_a_folder_is_not_canonical(tmp_path: Path) -> None:
    assert not canonical(write_folder(tmp_path / "dataset", good_members()))


def test_images_are_looked_at(tmp_path: Path) -> None:
    files = split_class(("happy", "sad"), size=(96, 96), mode="RGB")
    files |= {"train/sad/x.png": image(50)[:-20], "train/sad/y.png": b"text"}
    written = convert(write_folder(tmp_path / "dataset", files), tmp_path / "archive.zip")
    assert written.sizes == {"96x96": 8}
    assert written.num_color == 8
    assert written.refused == {"damaged": 1, "not an image": 1}
    # What `ingest` is to refuse, and count, is in the archive.
    assert set(files.values()) == set(members(tmp_path / "archive.zip").values())


def test_nothing_need_be_written(tmp_path: Path) -> None:
    path = write_folder(tmp_path / "dataset", split_class())
    assert convert(path, None) == convert(path, tmp_path / "archive.zip")


def test_drawn_faces_stay_marked(tmp_path: Path) -> None:
    for number, comment in enumerate((ARCHIVE_COMMENT, b"of a person")):
        file = write_zip(tmp_path / "x.zip", split_class())
        with zipfile.ZipFile(file, "a") as archive:
            archive.comment = comment
        convert(file, tmp_path / "archive.zip")
        with zipfile.ZipFile(tmp_path / "archive.zip") as archive:
            assert archive.comment == (b"" if number else ARCHIVE_COMMENT)


@pytest.mark.parametrize(
    ("pixels", "reason"),
    [
        ("1 2 x 4", "pixels that are no numbers from 0 to 255"),
        ("1 2 3", "pixels of no square image: 3 numbers"),
        ("", "pixels of no square image: 0 numbers"),
        ("1 2 3 256", "pixels that are no numbers from 0 to 255"),
        ("1 2 3 -4", "pixels that are no numbers from 0 to 255"),
        ("1 2 3 99999999999999999999", "pixels that are no numbers from 0 to 255"),
    ],
)
def test_pixels_that_are_no_face_are_left_out(tmp_path: Path, pixels: str, reason: str) -> None:
    file = tmp_path / "x.csv"
    file.write_bytes(pixel_table(SEVEN) + f"happy,{pixels},Training\n".encode())
    written = convert(file, None, fraction=0.1)
    assert [(one.source, one.reason) for one in written.left_out] == [("x.csv, row 43", reason)]


def test_more_may_not_be_left_out_than_ingest_may_refuse(tmp_path: Path) -> None:
    files = {**split_class(num_each=4), "a.png": image(98), "train/happy/b.png": bytes(100_001)}
    path = write_folder(tmp_path / "dataset", files)
    convert(path, None, fraction=0.04)
    with pytest.raises(
        UserError, match=r"2 of 58 faces would be left out, such as a\.png \(image "
    ):
        convert(path, tmp_path / "archive.zip", fraction=0.03)
