import hashlib
import os
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from PIL import Image

from fer_data.core.errors import UserError
from fer_data.core.face_store import read_faces
from fer_data.core.schema import MANIFEST_COLUMNS
from fer_data.ingestion import ingest
from fer_data.stages.settings import SettingsError
from tests.support.data.archives import (
    ARCHIVE,
    EXPRESSIONS,
    FACES,
    INGEST_FLAGS,
    PACKED_SIZE,
    encode,
    enter_workspace,
    good_members,
    image,
    noise,
    outputs,
    patch_entry,
    rejected,
    write_archive,
    write_settings,
)
from tests.support.warm.programs import warm_programs

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    enter_workspace(tmp_path, monkeypatch)
    return tmp_path


def run_module(workspace: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(workspace)}
    command = [warm_programs() / "python", "-m", "fer_data.ingestion.ingest", *INGEST_FLAGS]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_command_leaves_three_files_and_a_table(workspace: Path) -> None:
    more = {"Training/Angry/note.png": b"text", "Training/.DS_Store": b"", "__MACOSX/._x": b""}
    more |= {"Testing/Sad/._a.jpg": b"\0\5\x16\7", "Testing/desktop.ini": b"[.ShellClassInfo]"}
    write_archive(ARCHIVE, {**good_members(), **more})
    done = run_module(workspace)
    assert done.returncode == 0, done.stderr
    files = {str(file.relative_to(workspace)) for file in workspace.rglob("*") if file.is_file()}
    written = {f"data/faces/{name}" for name in ("manifest.parquet", "pixels.npy", "rejected.csv")}
    assert files == {"params.yaml", str(ARCHIVE)} | written
    table = [line.split() for line in done.stderr.splitlines()]
    assert [*EXPRESSIONS, "all"] in table
    assert ["training", *"1111116"] in table
    assert ["taken", *"222222", "12"] in table
    assert ["refused", "1", "not", "an", "image"] in table
    junk = ["__MACOSX,", ".DS_Store,", "._*,", "Thumbs.db,", "desktop.ini"]
    assert ["skipped", "4", *junk] in table


def test_command_fails_in_one_line(workspace: Path) -> None:
    done = run_module(workspace)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: data/raw/archive.zip is missing: download it from Kaggle, ")
    assert "apollo2506/facial-recognition-dataset, and save it there" in line
    assert line.endswith("`make demo` needs none")


def test_manifest_and_pixels() -> None:
    members = good_members(2)
    write_archive(ARCHIVE, dict(reversed(members.items())))
    ingest.main()
    manifest, pixels = read_faces(FACES / "manifest.parquet", FACES / "pixels.npy")
    assert tuple(manifest.columns) == MANIFEST_COLUMNS
    assert list(manifest["path"]) == sorted(members)
    assert rejected() == {}
    seeds = {path: seed for seed, path in enumerate(members)}
    for row, face in zip(manifest.to_dict("records"), pixels, strict=True):
        expected = noise(seeds[row["path"]])
        np.testing.assert_array_equal(face, expected)
        assert row["pixel_hash"] == hashlib.sha256(expected.tobytes()).hexdigest()
        assert [row[name] for name in ("width", "height", "mode", "format")] == [48, 48, "L", "PNG"]
        assert row["mean"] == pytest.approx(expected.mean(), rel=1e-12)
        assert row["std"] == pytest.approx(expected.std(), rel=1e-12)
    assert manifest.loc[0, ["path", "original_split", "label"]].to_list() == [
        *("Testing/Angry/0.png", "testing", "angry")
    ]
    assert set(manifest["label"]) == set(EXPRESSIONS)


def test_outputs_do_not_depend_on_the_run_or_the_order_in_the_archive() -> None:
    members = {**good_members(), "b.png": b"", "a.png": b""}
    write_archive(ARCHIVE, members)
    ingest.main()
    first = outputs()
    ingest.main()
    assert outputs() == first
    write_archive(ARCHIVE, dict(reversed(members.items())))
    ingest.main()
    assert outputs() == first
    assert list(rejected()) == ["a.png", "b.png"]


@pytest.mark.parametrize("prefix", ["archive/", "Training/", "./", "a\\b\\"])
def test_folders_above_do_not_matter(prefix: str) -> None:
    write_archive(ARCHIVE, {prefix + name: data for name, data in good_members().items()})
    ingest.main()
    manifest = pd.read_parquet(FACES / "manifest.parquet")
    assert manifest["original_split"].value_counts().to_dict() == {"training": 6, "testing": 6}


def test_folders_are_matched_without_case() -> None:
    members = {name.upper(): data for name, data in good_members().items()}
    write_archive(ARCHIVE, members)
    ingest.main()
    assert len(pd.read_parquet(FACES / "manifest.parquet")) == 12


@pytest.mark.parametrize(
    ("path", "data", "reason"),
    [
        ("Training/Angry/x.png", b"", "empty: 0 bytes"),
        ("Training/Angry/x.jpg", image(kind="JPEG")[:-9], "damaged: image file is truncated"),
        ("Training/Angry/x.jpg", b"hello", "not an image: "),
        ("Training/Angry/x.jpg", image(kind="GIF"), "other format: GIF"),
        ("Training/Angry/x.png", image(size=(64, 64)), "wrong size: 64x64"),
        ("Training/Angry/x.png", bytes(100_001), "too large: 100001 bytes"),
        ("Training/Contempt/x.png", image(), "unknown class: folder 'Contempt' is none of `dat"),
        ("Angry/x.png", image(), "misplaced: not in Training/CLASS or Testing/CLASS"),
        ("Other/Angry/x.png", image(), "misplaced: "),
        ("Training/Angry/more/x.png", image(), "misplaced: "),
        ("x.png", image(), "misplaced: "),
    ],
)
def test_quarantines_a_member(path: str, data: bytes, reason: str) -> None:
    write_archive(ARCHIVE, {**good_members(), path: data})
    ingest.main()
    assert list(rejected()) == [path]
    assert rejected()[path].startswith(reason)
    assert len(pd.read_parquet(FACES / "manifest.parquet")) == 12


def test_quarantines_a_member_damaged_in_the_archive() -> None:
    write_archive(ARCHIVE, {**good_members(), "Training/Angry/x.png": image()})
    patch_entry(ARCHIVE, "Training/Angry/x.png", PACKED_SIZE, 9)
    ingest.main()
    assert rejected()["Training/Angry/x.png"].startswith("damaged in the archive: ")


def test_resizes_if_the_setting_allows() -> None:
    write_settings(resize=True)
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encode(Image.fromarray(noise(0, width=60, height=50)), "PNG", exif=exif)
    write_archive(ARCHIVE, {**good_members(), "Training/Angry/x.png": data})
    ingest.main()
    manifest = pd.read_parquet(FACES / "manifest.parquet").set_index("path")
    assert manifest.loc["Training/Angry/x.png", ["width", "height"]].to_list() == [50, 60]


def test_an_unsafe_archive_writes_nothing() -> None:
    write_archive(ARCHIVE, {**good_members(), "../x.png": image()})
    with pytest.raises(UserError, match="climbs out"):
        ingest.main()
    assert not FACES.exists()


def test_leaves_nothing_half_written(monkeypatch: pytest.MonkeyPatch) -> None:
    write_archive(ARCHIVE, good_members())
    ingest.main()
    before = outputs()

    def fill_the_disk(_: object, file: Path, **__: object) -> None:
        file.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pq, "write_table", fill_the_disk)
    write_archive(ARCHIVE, good_members(2))
    with pytest.raises(OSError, match="No space left"):
        ingest.main()
    assert outputs() == before


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"max_rejected_fraction": 1.5}, "'ingest.max_rejected_fraction': got 1.5"),
        ({"resize": "maybe"}, "'ingest.resize': got 'maybe'"),
        ({"max_member_bytes": 0}, "'ingest.max_member_bytes': got 0"),
        ({"max_total_bytes": "2"}, "'ingest.max_total_bytes': got '2'"),
        ({"max_compression_ratio": 0.5}, "'ingest.max_compression_ratio': got 0.5"),
        ({"max_members": 0}, "'ingest.max_members': got 0"),
        ({"max_member": 5}, "'ingest.max_member' is not a setting"),
    ],
)
def test_refuses_wrong_settings(setting: dict[str, object], message: str) -> None:
    write_settings(**setting)
    with pytest.raises(SettingsError, match=message):
        ingest.main()
