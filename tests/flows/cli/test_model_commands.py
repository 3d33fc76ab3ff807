"""`ferflow export` and `ferflow bundle`, typed in a workspace of tiny models."""

import io
import os
import re
import sys
import zipfile
from pathlib import Path

import onnx
import onnxruntime
import pytest

from fer_models.export.formats import FORMATS
from flows.cli.main import main
from tests.support.models.tiny_dataset import write_tiny_records
from tests.support.models.trained_workspace import MEASURED, make_models


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_models(tmp_path_factory.mktemp("using") / "workspace", "scratch", "ensemble")
    (folder / "data").mkdir()
    write_tiny_records(folder / "data/tfrecords")
    return folder


@pytest.fixture(autouse=True)
def _inside(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(workspace)


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> None:
    monkeypatch.setattr(sys, "argv", ["ferflow", *words])
    main()


def test_export_writes_beside_and_says_how_well(workspace: Path, monkeypatch, capsys) -> None:
    run(monkeypatch, "export", "scratch", "--format", "onnx")
    pattern = (
        r"scratch -> scratch\.onnx: largest difference in probability [\d.e-]+ on 30 faces of "
        r"`validation`\n"
    )
    assert re.fullmatch(pattern, capsys.readouterr().out)
    onnxruntime.InferenceSession(workspace / "scratch.onnx")


def test_export_takes_a_path_and_eight_bits(workspace: Path, monkeypatch, capsys) -> None:
    words = ("--format", "litert", "--int8")
    run(monkeypatch, "export", "models/ensemble/model.keras", *words)
    out = capsys.readouterr().out.splitlines()[-1]
    assert re.search(r"model-int8\.tflite: .*accuracy there 0\.\d+ with 8 bits, 0\.\d+ with", out)
    run(monkeypatch, "export", "scratch", "--format", "saved_model", "--output", "out/it")
    assert (workspace / "out/it/saved_model.pb").is_file()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["export", "scratch", "--format", "caffe"], r"^error: no format 'caffe': expected one of"),
        (["export", "vgg", "--format", "onnx"], r"^error: no model 'vgg': expected one of scratch"),
        (["export", "resnet50", "--format", "onnx"], r"^error: .*`dvc pull` fetches it, a bundle"),
        (["bundle", "vgg"], r"^error: no model 'vgg': expected some of scratch, resnet50"),
        (["bundle", "resnet50"], r"^error: .*resnet50/model\.keras is missing: `dvc pull`"),
    ],
)
def test_a_mistake_is_one_line(workspace: Path, monkeypatch, words, message) -> None:
    before = set(workspace.iterdir())
    with pytest.raises(SystemExit, match=message) as error:
        run(monkeypatch, *words)
    assert "\n" not in str(error.value)
    assert set(workspace.iterdir()) == before


@pytest.mark.parametrize(
    "words",
    [["bundle", "scratch"], ["export", "scratch", "--format", "saved_model"]],
    ids=["bundle", "export"],
)
@pytest.mark.parametrize("output", ["home", "link"])
def test_a_folder_is_not_replaced(tmp_path: Path, monkeypatch, words, output) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home/thesis.txt").write_text("years")
    (tmp_path / "link").symlink_to("home")
    message = rf"^error: .*/{output} is a (link to a )?folder, which is not replaced: [^\n]*$"
    monkeypatch.setattr("keras.saving.load_model", None)  # refused before any work
    with pytest.raises(SystemExit, match=message):
        run(monkeypatch, *words, "--output", str(tmp_path / output))
    assert (tmp_path / "link/thesis.txt").read_text() == "years"
    assert len(list(tmp_path.iterdir())) == 2


def zipped(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def of_others() -> dict[str, bytes]:
    """Files that neither command writes, and that one of them could be taken for."""
    nothing = onnx.helper.make_graph([], "nothing", [], [])
    return {
        "thesis.pdf": b"%PDF-1.7 years",
        "empty": b"",
        "photos.zip": zipped(**{"a.jpg": b"face"}),
        "bundle.zip": zipped(**{"bundle.json": b'{"name": "of a game"}'}),
        "other.onnx": onnx.helper.make_model(nothing).SerializeToString(),
        "other.tflite": b"\x1c\0\0\0TFL3" + bytes(100),
        "cut.tflite": b"\x1c\0\0\0TFL3",
    }


@pytest.mark.parametrize("name", of_others())
@pytest.mark.parametrize(
    "words",
    [["bundle", "scratch"], *(["export", "scratch", "--format", form] for form in FORMATS)],
    ids=["bundle", *FORMATS],
)
def test_a_file_of_others_is_not_replaced(tmp_path: Path, monkeypatch, words, name) -> None:
    content = of_others()[name]
    (tmp_path / name).write_bytes(content)
    message = (
        rf"^error: .*/{name} is there already, and is not what `ferflow {words[0]}[^`]*` writes"
    )
    monkeypatch.setattr("keras.saving.load_model", None)  # refused before any work
    with pytest.raises(SystemExit, match=message) as error:
        run(monkeypatch, *words, "--output", str(tmp_path / name))
    assert "\n" not in str(error.value)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [(name, content)]


@pytest.mark.parametrize(
    "words",
    [["bundle"], *(["export", "scratch", "--format", form] for form in ("onnx", "litert"))],
    ids=["bundle", "onnx", "litert"],
)
def test_what_a_command_wrote_before_is_replaced(tmp_path: Path, monkeypatch, words) -> None:
    target = tmp_path / "of any name"
    for _ in range(2):
        run(monkeypatch, *words, "--output", str(target))
    # But not by another command, or another format.
    other = ["export", "scratch", "--format", "onnx"] if words == ["bundle"] else ["bundle"]
    before = target.read_bytes()
    with pytest.raises(SystemExit, match="is there already"):
        run(monkeypatch, *other, "--output", str(target))
    assert target.read_bytes() == before


def test_what_is_no_file_is_not_replaced(tmp_path: Path, monkeypatch) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SystemExit, match=r"pipe is there already"):
        run(monkeypatch, "bundle", "--output", str(tmp_path / "pipe"))
    assert (tmp_path / "pipe").is_fifo()


def test_an_export_needs_records(tmp_path: Path, monkeypatch) -> None:
    make_models(tmp_path / "bare", "scratch")
    monkeypatch.chdir(tmp_path / "bare")
    with pytest.raises(SystemExit, match="has no records of the split 'validation'"):
        run(monkeypatch, "export", "scratch", "--format", "onnx")
    assert not list((tmp_path / "bare").glob("*.onnx"))


def test_bundle_packs_what_there_is_and_says_what_there_is_not(monkeypatch, capsys) -> None:
    run(monkeypatch, "bundle")
    *left_out, packed = capsys.readouterr().out.splitlines()
    assert len(left_out) == len(MEASURED) - 2
    assert left_out[0].startswith("left out: models/resnet50/model.keras is missing: `dvc pull`")
    assert re.fullmatch(r"scratch, ensemble -> ferflow-bundle\.zip \(\d+\.\d MB\)", packed)
    assert "models/scratch/model_card.md" in zipfile.ZipFile("ferflow-bundle.zip").namelist()


def test_nothing_to_pack_is_one_line(tmp_path: Path, monkeypatch) -> None:
    make_models(tmp_path / "bare")
    monkeypatch.chdir(tmp_path / "bare")
    with pytest.raises(
        SystemExit, match=r"no model to pack: models/scratch/model\.keras is missing"
    ):
        run(monkeypatch, "bundle")
