import os
from pathlib import Path

import pandas as pd
import pytest

from fer_data.core.errors import UserError
from fer_data.ingestion import ingest
from tests.support.data.archives import (
    ARCHIVE,
    FACES,
    enter_workspace,
    good_members,
    image,
    outputs,
    rejected,
    write_archive,
    write_settings,
)


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    enter_workspace(tmp_path, monkeypatch)


def test_a_link_to_nothing_is_no_archive_of_another_name() -> None:
    ARCHIVE.parent.mkdir(parents=True, exist_ok=True)
    ARCHIVE.symlink_to("moved.zip")
    with pytest.raises(UserError, match="is missing: download it from Kaggle"):
        ingest.main()


def test_an_archive_of_another_name_is_named() -> None:
    write_archive(ARCHIVE.with_name("archive (1).zip"), good_members())
    message = r"is missing: 'archive \(1\)\.zip' lies there: rename it to archive\.zip"
    with pytest.raises(UserError, match=message):
        ingest.main()


def test_fails_only_past_the_limit_and_writes_the_list() -> None:
    write_settings(max_rejected_fraction=0.25)
    bad = {f"Training/Angry/bad{number}.png": b"text" for number in range(4)}
    write_archive(ARCHIVE, {**good_members(), **bad, "a/Thumbs.db": b""})
    ingest.main()
    before = outputs()
    write_archive(ARCHIVE, {**good_members(), **bad, "x.png": b""})
    message = (
        r"5 of 17 members were refused \(4 not an image, 1 misplaced; for example "
        r"'Training/Angry/bad0.png', not an image: .*; all of them in data/faces/rejected.csv\), "
        r"more than `ingest.max_rejected_fraction` \(0.25\) allows"
    )
    with pytest.raises(UserError, match=message):
        ingest.main()
    assert len(rejected()) == 5
    after = outputs()
    assert before.pop("rejected.csv") != after.pop("rejected.csv")
    assert before == after


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({}, "no readable face in Training/CLASS or Testing/CLASS: 0 of 0"),
        ({"__MACOSX/x": b""}, "no readable face in Training/CLASS or Testing/CLASS: 0 of 0"),
        (dict.fromkeys(good_members(), b"text"), "no readable face.*12 of 12.*12 not an image"),
    ],
)
def test_refuses_an_archive_without_faces(members: dict[str, bytes], message: str) -> None:
    write_archive(ARCHIVE, members)
    with pytest.raises(UserError, match=message):
        ingest.main()
    assert set(outputs()) == {"rejected.csv"}


@pytest.mark.parametrize(
    ("left_out", "message"),
    [
        ("Training/", "has no readable face of any class in Training"),
        ("Fear", "has no readable face of fear in Training"),
        ("Testing/Suprise", "has no readable face of surprise in Testing"),
    ],
)
def test_refuses_a_class_or_folder_without_faces(left_out: str, message: str) -> None:
    members = {name: data for name, data in good_members().items() if left_out not in name}
    write_archive(ARCHIVE, members)
    with pytest.raises(UserError, match=message):
        ingest.main()
    assert set(outputs()) == {"rejected.csv"}


def test_refuses_a_folder_none_of_whose_images_can_be_read() -> None:
    members = {
        name: data if "Testing" not in name else b"" for name, data in good_members().items()
    }
    write_archive(ARCHIVE, members)
    with pytest.raises(UserError, match="has no readable face of any class in Testing: 6 of 12"):
        ingest.main()


@pytest.mark.parametrize("folder", ["Validation", "val"])
def test_takes_a_validation_folder(folder: str) -> None:
    more = {name.replace("Training", folder): image(99) for name in good_members()}
    write_archive(ARCHIVE, {**good_members(), **more})
    ingest.main()
    manifest = pd.read_parquet(FACES / "manifest.parquet")
    counts = manifest["original_split"].value_counts().to_dict()
    assert counts == {"training": 6, "testing": 6, "validation": 6}


def test_a_validation_folder_that_lacks_a_class_is_refused() -> None:
    write_archive(ARCHIVE, {**good_members(), "Validation/Sad/x.png": image(99)})
    with pytest.raises(UserError, match=r"has no readable face of angry, fear, .* in Validation"):
        ingest.main()


def test_says_loudly_that_there_is_no_testing_folder(caplog: pytest.LogCaptureFixture) -> None:
    write_archive(ARCHIVE, {name: data for name, data in good_members().items() if "Tr" in name})
    ingest.main()
    (warning,) = (record for record in caplog.records if record.levelname == "WARNING")
    assert "archive.zip has no folder Testing: the stage `split` draws" in warning.message
    assert set(pd.read_parquet(FACES / "manifest.parquet")["original_split"]) == {"training"}


def test_counts_what_was_done_to_images(caplog: pytest.LogCaptureFixture) -> None:
    write_settings(resize=True)
    members = {**good_members(), "Training/Sad/x.png": image(99, size=(96, 96), mode="RGB")}
    write_archive(ARCHIVE, {**members, "Training/Sad/y.png": image(98, mode="P")})
    caplog.set_level("INFO")
    ingest.main()
    table = [line.split() for line in caplog.text.splitlines()]
    assert ["resized", "1", "to", "48x48,", "by", "one", "antialiased", "step"] in table
    assert ["grayed", "2", "of", "color", "(ITU-R", "601-2", "luma)"] in table


@pytest.mark.skipif("FERFLOW_ARCHIVE" not in os.environ, reason="FERFLOW_ARCHIVE names no archive")
def test_the_published_archive() -> None:
    ARCHIVE.parent.mkdir(parents=True)
    ARCHIVE.symlink_to(Path(os.environ["FERFLOW_ARCHIVE"]).resolve())
    write_settings(max_members=1_000_000, max_total_bytes=2_000_000_000)
    ingest.main()
    manifest = pd.read_parquet(FACES / "manifest.parquet")
    assert manifest["original_split"].value_counts().to_dict() == {
        "training": 28_273,
        "testing": 7_067,
    }
    assert len(manifest.query("mean == 0 and std == 0")) == 12
    duplicates = manifest[manifest.duplicated("pixel_hash", keep=False)]
    groups = duplicates.groupby("pixel_hash").agg({"label": "nunique"})
    assert (len(groups), len(groups.query("label > 1"))) == (1_450, 54)
    trained_on = set(manifest.query("original_split == 'training'")["pixel_hash"])
    testing = manifest.query("original_split == 'testing'")["pixel_hash"]
    assert sum(pixel_hash in trained_on for pixel_hash in testing) == 537
