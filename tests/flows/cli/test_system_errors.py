"""What a person points at and the system refuses: each command ends in one line, or without a word."""

import os
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fer_data.core.schema import DECISION_COLUMNS
from fer_data.core.tables import write_table
from flows.cli.main import main
from tests.support.data.manifests import plain_manifest
from tests.support.models.tiny_dataset import EXPRESSIONS, write_tiny_records
from tests.support.models.trained_workspace import make_models

ROOT = Path(__file__).parents[3]
FULL = r"^error: No space left on device: .*free some, and try again$"
PRINTING = {
    "predict": ["predict", "face.png", "--whole-images"],
    "predict as CSV": ["predict", "face.png", "--whole-images", "--format", "csv"],
    "predict as JSON": ["predict", "face.png", "--whole-images", "--format", "jsonl"],
    "bundle": ["bundle", "scratch", "--output", "out.zip"],
    "export": ["export", "scratch", "--format", "litert", "--output", "out.tflite"],
    "sample": ["sample", "out.zip", "--faces", "120"],
    "preset": ["preset", "scratch_tuned"],
    "config": ["label-studio-config"],
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_models(tmp_path_factory.mktemp("errors") / "workspace", "scratch")
    (folder / "data").mkdir()
    write_tiny_records(folder / "data/tfrecords")
    Image.fromarray(np.full((48, 48), 90, np.uint8)).save(folder / "face.png")
    (folder / "file").write_bytes(b"years of work")
    (folder / "presets").mkdir()
    write_table(plain_manifest()[0], folder / "data/faces/manifest.parquet")
    (folder / "data/relabels.csv").write_text(",".join(DECISION_COLUMNS) + "\n")
    shutil.copyfile(ROOT / "presets/scratch_tuned.yaml", folder / "presets/scratch_tuned.yaml")
    settings = (ROOT / "params.yaml").read_text()
    names = f"expressions: [{', '.join(EXPRESSIONS)}]"
    (folder / "params.yaml").write_text(re.sub(r"expressions: \[.+\]", names, settings, count=1))
    return folder


@pytest.fixture
def workspace(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "workspace"
    shutil.copytree(made, folder)
    monkeypatch.chdir(folder)
    return folder


def ending(monkeypatch: pytest.MonkeyPatch, *words: str) -> str | int | None:
    """How a command ends that must not succeed: its line, or its exit code."""
    monkeypatch.setattr(sys, "argv", ["ferflow", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code


@pytest.mark.usefixtures("workspace")
@pytest.mark.parametrize("words", PRINTING.values(), ids=PRINTING)
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is full")
def test_a_full_disk_is_one_line(monkeypatch, words: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert is_line(FULL, ending(monkeypatch, *words))


@pytest.mark.usefixtures("workspace")
@pytest.mark.parametrize("words", PRINTING.values(), ids=PRINTING)
def test_a_reader_that_has_gone_is_no_error(monkeypatch, words: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        assert ending(monkeypatch, *words) == 141


@pytest.mark.parametrize(
    "words",
    [
        ["predict", "face.png", "--model", "file/model.keras"],
        ["predict", "face.png", "--bundle", "file/bundle.zip"],
        ["bundle", "scratch", "--output", "file/out.zip"],
        ["export", "scratch", "--format", "onnx", "--output", "file/out.onnx"],
        ["export", "file/model.keras", "--format", "onnx"],
        ["sample", "file/out.zip", "--faces", "120"],
        ["demo", "--workspace", "file/demo", "--faces", "500"],
        ["add", "file/archive.zip"],
        ["import-decisions", "file/decisions.csv"],
        ["preset", "../file/name"],
    ],
    ids=" ".join,
)
def test_a_file_where_a_folder_should_be_is_one_line(workspace, monkeypatch, words) -> None:
    before = sorted(workspace.rglob("*"))
    line = ending(monkeypatch, *words)
    assert isinstance(line, str)
    assert line.startswith("error: ")
    assert "\n" not in line
    assert "file" in line
    assert sorted(workspace.rglob("*")) == before


def is_line(pattern: str, line: object) -> bool:
    return isinstance(line, str) and re.search(pattern, line) is not None
