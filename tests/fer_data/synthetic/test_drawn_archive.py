import hashlib
import io
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fer_data.core.errors import UserError
from fer_data.core.schema import LABEL, PATH
from fer_data.ingestion.ingest import take_faces
from fer_data.ingestion.zip_archive import Limits
from fer_data.synthetic import drawn_archive, planted_errors
from fer_data.synthetic.drawn_archive import write_sample
from fer_data.synthetic.drawn_archive_files import draw_sample
from fer_data.synthetic.planted_errors import ERROR, PARTNER, TRUE_LABEL

NUM_FACES = 400
LIMITS = Limits(
    max_member_bytes=1_000_000,
    max_total_bytes=100_000_000,
    max_compression_ratio=200,
    max_members=10_000,
)


@pytest.fixture(scope="module")
def archive(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("sample") / "archive.zip"


@pytest.fixture(scope="module")
def errors(archive) -> pd.DataFrame:
    return write_sample(archive, num_faces=NUM_FACES, seed=1)


@pytest.fixture(scope="module")
def members(archive, errors) -> dict[str, bytes]:  # noqa: ARG001  (writes the archive)
    with zipfile.ZipFile(archive) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def of_kind(errors: pd.DataFrame, error: str) -> list[dict[str, str]]:
    rows = [{str(key): value for key, value in row.items()} for row in errors.to_dict("records")]
    return [row for row in rows if row[ERROR] == error]


def test_the_same_arguments_give_the_same_bytes(tmp_path):
    files = [tmp_path / name for name in ("a.zip", "b.zip", "c.zip", "d.zip")]
    arguments = [(120, 5), (120, 5), (120, 6), (121, 5)]
    tables = [
        write_sample(file, num_faces=num_faces, seed=seed)
        for file, (num_faces, seed) in zip(files, arguments, strict=True)
    ]
    assert files[0].read_bytes() == files[1].read_bytes()
    assert len({hashlib.sha256(file.read_bytes()).digest() for file in files}) == 3
    pd.testing.assert_frame_equal(tables[0], tables[1])


def test_several_processes_draw_the_same_bytes(monkeypatch, tmp_path):
    write_sample(tmp_path / "alone.zip", num_faces=300)
    monkeypatch.setattr(drawn_archive, "_MANY", 200)
    monkeypatch.setattr(drawn_archive, "_BLOCK", 100)
    write_sample(tmp_path / "beside.zip", num_faces=300)
    assert (tmp_path / "alone.zip").read_bytes() == (tmp_path / "beside.zip").read_bytes()


def test_names_are_those_of_the_kaggle_archive(members):
    assert len(members) == NUM_FACES + 2
    for name in members:
        folder, label, image = name.split("/")
        assert label in {"Angry", "Fear", "Happy", "Neutral", "Sad", "Suprise"}
        kind, number = image.removesuffix(".jpg").split("_")
        assert kind in {"Training": {"Training"}, "Testing": {"PublicTest", "PrivateTest"}}[folder]
        assert len(number) == 8


@pytest.mark.parametrize(
    ("folder", "count"),
    [
        ("Training/Happy", 7215),
        ("Training/Suprise", 3171),
        ("Testing/Angry", 958),
        ("Testing/Suprise", 831),
    ],
)
def test_classes_have_the_imbalance_of_the_kaggle_archive(members, errors, folder, count):
    unreadable = errors.loc[
        errors[ERROR].isin([planted_errors.TRUNCATED, planted_errors.NOT_A_IMAGE]), PATH
    ].tolist()
    found = [name for name in members if name.startswith(folder + "/") and name not in unreadable]
    assert abs(len(found) - count / 35_340 * NUM_FACES) < 1


def test_readable_members_are_gray_jpegs_and_the_two_others_are_refused(archive, errors):
    intake = take_faces(
        archive, expressions=tuple(drawn_archive.CLASS_FOLDERS), limits=LIMITS, resize=False
    )
    assert len(intake.manifest) == NUM_FACES
    assert set(intake.manifest["mode"]) == {"L"}
    assert set(intake.manifest["format"]) == {"JPEG"}
    unreadable = errors[errors[ERROR].isin([planted_errors.TRUNCATED, planted_errors.NOT_A_IMAGE])]
    assert sorted(intake.rejected[PATH]) == sorted(unreadable[PATH])
    labels = intake.manifest.set_index(PATH)[LABEL]
    planted = errors[~errors[PATH].isin(unreadable[PATH])].set_index(PATH)[LABEL]
    assert (labels[planted.index] == planted).all()


def test_the_listed_copies_are_the_only_ones(members, errors):
    copies = errors[errors[PARTNER] != ""]
    for row in copies.to_dict("records"):
        assert members[row[PATH]] == members[row[PARTNER]]
    num_distinct = len({hashlib.sha256(data).digest() for data in members.values()})
    assert num_distinct == len(members) - len(copies)


@pytest.mark.parametrize(
    ("error", "same_class", "folders"),
    [
        (planted_errors.DUPLICATE, True, {("Training", "Training"), ("Testing", "Testing")}),
        (planted_errors.LEAK, True, {("Testing", "Training")}),
        (planted_errors.CONFLICTING_DUPLICATE, False, {("Training", "Training")}),
    ],
)
def test_copies_are_where_their_kind_says(errors, error, same_class, folders):
    rows = of_kind(errors, error)
    assert len(rows) == max(2, round(planted_errors.FRACTIONS[error] * NUM_FACES))
    for row in rows:
        (folder, label, _), (partner_split, partner_label, _) = (
            row[key].split("/") for key in (PATH, PARTNER)
        )
        assert (folder, partner_split) in folders
        assert (label == partner_label) == same_class
        assert drawn_archive.CLASS_FOLDERS[row[LABEL]] == label
        assert drawn_archive.CLASS_FOLDERS[row[TRUE_LABEL]] == partner_label


def test_wrong_labels_are_in_training_half_of_them_by_confusion(errors, members):
    rows = of_kind(errors, planted_errors.WRONG_LABEL)
    num_training = sum(name.startswith("Training/") for name in members)
    assert len(rows) == pytest.approx(0.05 * num_training, abs=1)
    assert all(row[PATH].startswith("Training/") for row in rows)
    assert all(row[TRUE_LABEL] != row[LABEL] for row in rows)
    assert all(row[PATH].split("/")[1] == drawn_archive.CLASS_FOLDERS[row[LABEL]] for row in rows)
    confused = [row for row in rows if planted_errors.CONFUSIONS.get(row[TRUE_LABEL]) == row[LABEL]]
    assert len(rows) // 2 <= len(confused) < len(rows)


def test_wrong_labels_show_what_the_table_says(monkeypatch, tmp_path):
    shades = {name: 20 + 30 * number for number, name in enumerate(drawn_archive.CLASS_FOLDERS)}

    def flat_face(expression: str, _: np.random.Generator) -> np.ndarray:
        return np.full((48, 48), shades[expression], np.uint8)

    monkeypatch.setattr(drawn_archive, "draw_face", flat_face)
    errors = write_sample(tmp_path / "a.zip", num_faces=NUM_FACES).set_index(PATH)
    true_labels = {str(path): str(label) for path, label in errors[TRUE_LABEL].items()}
    folders = {folder: label for label, folder in drawn_archive.CLASS_FOLDERS.items()}
    with zipfile.ZipFile(tmp_path / "a.zip") as opened:
        for name in opened.namelist():
            drawn = true_labels.get(name, folders[name.split("/")[1]])
            if drawn == "" or errors[ERROR].get(name) == planted_errors.TRUNCATED:
                continue
            shade = np.asarray(Image.open(io.BytesIO(opened.read(name)))).mean()
            assert abs(shade - shades[drawn]) < 3, name


def test_black_images_are_black_and_in_one_folder(errors, members):
    rows = of_kind(errors, planted_errors.BLACK)
    assert len(rows) == planted_errors.NUM_BLACK
    assert len({row[PATH].rsplit("/", 1)[0] for row in rows}) == 1
    assert [row[PARTNER] for row in rows].count("") == 1
    for row in rows:
        assert row[TRUE_LABEL] == ""
        assert not np.asarray(Image.open(io.BytesIO(members[row[PATH]]))).any()


def test_one_image_is_truncated_and_one_is_a_text(errors, members):
    [truncated] = of_kind(errors, planted_errors.TRUNCATED)
    image = Image.open(io.BytesIO(members[truncated[PATH]]))
    assert image.size == (48, 48)
    with pytest.raises(OSError, match="truncated"):
        image.load()
    [text] = of_kind(errors, planted_errors.NOT_A_IMAGE)
    assert b"not an image" in members[text[PATH]]


@pytest.mark.parametrize("num_faces", [120, 121, 3000])
def test_errors_are_disjoint_and_every_kind_is_there(monkeypatch, tmp_path, num_faces):
    monkeypatch.setattr(drawn_archive, "draw_face", lambda *_: np.full((48, 48), 90, np.uint8))
    for seed in range(5):
        errors = write_sample(tmp_path / "a.zip", num_faces=num_faces, seed=seed)
        assert errors[PATH].is_unique
        assert errors[PATH].is_monotonic_increasing
        counts = errors[ERROR].value_counts()
        assert counts.drop([planted_errors.TRUNCATED, planted_errors.NOT_A_IMAGE]).min() >= 2
        partners = errors.loc[
            (errors[PARTNER] != "") & (errors[ERROR] != planted_errors.BLACK), PARTNER
        ]
        assert partners.is_unique
        assert not partners.isin(errors[PATH]).any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_faces": 119}, "sample of 119 faces .* expected 120 or more"),
        ({"num_faces": -1}, "sample of -1 faces"),
        ({"seed": -2}, "seed is -2, expected 0 or more"),
    ],
)
def test_impossible_requests_are_refused(tmp_path, options, message):
    with pytest.raises(UserError, match=message):
        write_sample(tmp_path / "a.zip", **options)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_not_replaced(tmp_path):
    (tmp_path / "precious").write_text("data")
    with pytest.raises(UserError, match="is a folder"):
        write_sample(tmp_path, num_faces=120)
    assert (tmp_path / "precious").read_text() == "data"


def test_this_folder_and_the_root_are_refused_as_folders(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in (Path(), Path("/")):
        with pytest.raises(UserError, match="is a folder"):
            draw_sample(folder, num_faces=120, seed=0, force=False)
