import io
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fer_data.core.errors import UserError
from fer_models.export import to_onnx
from fer_models.inference.model_store import open_model, open_model_store
from tests.fer_models.predicting import Typed, rows_of, typed_in, write_clip
from tests.support.models.scenes import drawn_face, empty_scene, scene
from tests.support.models.tiny_dataset import EXPRESSIONS, banded_faces
from tests.support.models.trained_workspace import make_models
from tests.support.servers.processes import FERFLOW, ROOT

BANDS, LABELS = banded_faces(30, seed=2)
HEADER = [
    *("path", "face", "left", "top", "width", "height", "confidence"),
    *("expression", "set", "model"),
]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_models(tmp_path_factory.mktemp("predict") / "workspace", "scratch", "mobilenetv2")
    (folder / "crops").mkdir()
    for number, face in enumerate(BANDS):
        Image.fromarray(face).save(folder / f"crops/{number:02d}.png")
    Image.fromarray(scene((30, 60, 100), (180, 20, 120))).save(folder / "two.png")
    Image.fromarray(empty_scene()).save(folder / "none.png")
    (folder / "bad.jpg").write_text("no image")
    write_clip(folder / "clip.mp4", num_frames=24)
    return folder


@pytest.fixture
def run(workspace: Path, monkeypatch, capsys) -> Typed:
    """Types the command in the workspace."""
    return typed_in(workspace, monkeypatch, capsys)


def test_a_folder_of_crops_is_read_calibrated(run) -> None:
    out, err, exit_message = run("crops", "--model", "scratch", "--format", "csv")
    rows = rows_of(out)
    assert (err, exit_message) == ("", None)
    assert list(rows[0]) == [*HEADER, *EXPRESSIONS]
    assert [row["path"] for row in rows] == [f"crops/{number:02d}.png" for number in range(30)]
    right = [row["expression"] == EXPRESSIONS[n] for row, n in zip(rows, LABELS, strict=True)]
    assert np.mean(right) > 0.6
    for row in rows:
        probabilities = {name: float(row[name]) for name in EXPRESSIONS}
        assert sum(probabilities.values()) == pytest.approx(1, abs=2e-4)
        assert max(probabilities, key=probabilities.__getitem__) == row["expression"]
        assert row["expression"] in row["set"].split("|")
        assert (row["face"], row["width"], row["confidence"]) == ("1", "48", "1.0000")


def test_all_faces_of_an_image_are_rows_and_a_bad_file_stops_nothing(run) -> None:
    words = ("bad.jpg", "two.png", "absent.png", "none.png", "crops/00.png")
    out, err, exit_message = run(*words, "--model", "scratch", "--format", "jsonl")
    rows = [json.loads(line) for line in out.splitlines()]
    assert [(row["path"], row["face"]) for row in rows] == [
        *[("two.png", 1), ("two.png", 2), ("none.png", 0), ("crops/00.png", 1)]
    ]
    assert rows[0]["left"] + rows[0]["width"] < rows[1]["left"] + rows[1]["width"]
    assert set(rows[0]["probabilities"]) == set(EXPRESSIONS)
    assert rows[0]["expression"] in rows[0]["set"]
    assert (rows[2]["expression"], rows[2]["probabilities"]) == (None, None)
    assert err.splitlines() == [
        "bad.jpg is not an image: expected JPEG, PNG or WebP",
        "absent.png: No such file or directory",
    ]
    assert exit_message == "error: 2 of the files could not be read"


def test_an_image_without_a_face_can_be_taken_whole(run) -> None:
    out, _, exit_message = run("none.png", "--whole-images", "--format", "csv")
    (row,) = rows_of(out)
    assert exit_message is None
    assert (row["face"], row["left"], row["width"], row["confidence"]) == (
        *("1", "40", "240", "0.0000"),
    )


def test_the_table_names_the_expression(run) -> None:
    out, _, _ = run("none.png", "two.png")
    assert "none found" in out
    assert out.count("two.png") == 2
    assert "%" in out


def test_no_table_is_drawn_where_nothing_could_be_read(run) -> None:
    out, err, exit_message = run("absent.png")
    assert (out, err) == ("", "absent.png: No such file or directory\n")
    assert exit_message == "error: 1 of the files could not be read"


def test_a_list_comes_on_standard_input(run, monkeypatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("crops/03.png\ncrops/01.png\n"))
    out, _, _ = run("-", "--format", "csv")
    assert [row["path"] for row in rows_of(out)] == ["crops/03.png", "crops/01.png"]


def test_a_model_s_file_predicts_as_it_is(run) -> None:
    words = ("crops/00.png", "--format", "csv", "--model")
    calibrated, _, _ = run(*words, "scratch")
    plain, _, _ = run(*words, "models/scratch/model.keras")
    highest = [
        max(float(rows_of(out)[0][name]) for name in EXPRESSIONS) for out in (calibrated, plain)
    ]
    assert highest[0] < highest[1]  # the temperature is 2
    assert rows_of(plain)[0]["set"] == ""


def test_an_exported_model_predicts_without_a_workspace(run, tmp_path: Path, monkeypatch) -> None:
    file = tmp_path / "scratch.onnx"
    model = open_model("scratch").model
    to_onnx.write(model, file, expressions=EXPRESSIONS)
    plain, _, _ = run("crops", "--format", "csv", "--model", "models/scratch/model.keras")
    faces = Path("crops").resolve()
    monkeypatch.chdir(tmp_path)
    exported, err, exit_message = run(str(faces), "--format", "csv", "--model", "scratch.onnx")
    assert (err, exit_message) == ("", None)
    for before, after in zip(rows_of(plain), rows_of(exported), strict=True):
        assert before["expression"] == after["expression"]
        for name in EXPRESSIONS:
            assert float(before[name]) == pytest.approx(float(after[name]), abs=2e-4)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--model", "absent.onnx"], r"error: absent.onnx is missing: `ferflow export` writes it"),
        (["--model", "nobody"], "error: no model 'nobody': expected one of scratch, "),
        (["--model", "resnet50"], r"error: models/resnet50/model.keras is missing: `dvc pull`"),
        (["--bundle", "absent.zip"], "error: .*absent.zip"),
    ],
)
def test_a_model_that_is_not_there_is_one_line(run, words, message) -> None:
    out, _, exit_message = run("crops/00.png", *words)
    assert out == ""
    assert re.match(message, exit_message or "")
    assert "\n" not in str(exit_message)


def test_without_a_name_the_best_on_validation_predicts(workspace: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(workspace, tmp_path / "workspace")
    assert open_model_store(workspace=folder).best() == "scratch"  # both are as good: the first
    file = folder / "reports/evaluate/mobilenetv2/metrics.json"
    metrics = json.loads(file.read_text())
    metrics["validation"]["accuracy"]["value"] = 0.76
    file.write_text(json.dumps(metrics))
    assert open_model_store(workspace=folder).best() == "mobilenetv2"
    shutil.rmtree(folder / "models")
    with pytest.raises(
        UserError, match=r"^no model that can predict: .*scratch/model\.keras is missing"
    ):
        open_model_store(workspace=folder).best()


def test_faces_of_a_small_crop_need_no_detector(run) -> None:
    Image.fromarray(drawn_face()).save("face.webp", lossless=True)
    out, _, _ = run("face.webp", "--format", "csv")
    assert rows_of(out)[0]["confidence"] == "1.0000"


NAMES = (b"\xff\xfe.png", b"a[/red]\x1b[31m.png", "\u00e9t\u00e9.png".encode())
SHOWN = (r"\xff\xfe.png", "a[/red]\x1b[31m.png", "\u00e9t\u00e9.png")


@pytest.fixture
def odd_names(workspace: Path, tmp_path: Path) -> Path:
    (tmp_path / "a[").mkdir()
    for name in NAMES:
        shutil.copyfile(workspace / "crops/00.png", tmp_path / os.fsdecode(name))
    (tmp_path / os.fsdecode(b"clip\xff.mp4")).write_bytes((workspace / "clip.mp4").read_bytes())
    return tmp_path


def in_a_process(workspace: Path, *words: str, stdin: bytes = b"", **names: str) -> tuple[str, str]:
    """What the command writes, which must be UTF-8, and its errors."""
    done = subprocess.run(
        [FERFLOW, "predict", "--model", "scratch", *words],
        cwd=workspace,
        env={**os.environ, "PYTHONPATH": str(ROOT), **names},
        input=stdin,
        capture_output=True,
        check=True,
    )
    return done.stdout.decode("utf-8"), done.stderr.decode("utf-8")


def test_names_that_are_not_utf_8_are_written_escaped(workspace: Path, odd_names: Path) -> None:
    paths = [str(odd_names / os.fsdecode(name)) for name in NAMES]
    out, _ = in_a_process(workspace, *paths, "--format", "csv", PYTHONIOENCODING="latin-1")
    assert [row["path"] for row in rows_of(out)] == [f"{odd_names}/{name}" for name in SHOWN]
    stdin = b"".join(os.fsencode(path) + b"\n" for path in paths)
    out, _ = in_a_process(workspace, "-", "--format", "jsonl", stdin=stdin)
    assert [json.loads(line)["path"] for line in out.splitlines()] == [
        f"{odd_names}/{name}" for name in SHOWN
    ]
    out, err = in_a_process(workspace, str(odd_names))
    for name in (SHOWN[0], r"a[/red]\x1b[31m.png", SHOWN[2]):
        assert name in out
    assert "\x1b[31m" not in out
    assert r"clip\xff.mp4: 24 frames -> " in err
    assert (odd_names / os.fsdecode(b"clip\xff.faces.mp4")).exists()
