"""Commands with `--workspace`: they work there, and take paths from the current folder."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fer_data.core.schema import DECISION_COLUMNS
from fer_data.core.tables import write_table
from flows.cli.main import main
from flows.workspace.client import git
from tests.support.data.manifests import plain_manifest
from tests.support.models.tiny_dataset import EXPRESSIONS, write_tiny_records
from tests.support.models.trained_workspace import make_models
from tests.support.warm.programs import warm_programs

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a workspace of a tiny model below it, whose name has a space."""
    folder = tmp_path_factory.mktemp("elsewhere")
    workspace = make_models(folder / "the workspace", "scratch")
    (workspace / "data/accepted").mkdir(parents=True)
    write_tiny_records(workspace / "data/tfrecords")
    manifest, _ = plain_manifest()
    write_table(manifest, workspace / "data/faces/manifest.parquet")
    header = ",".join(DECISION_COLUMNS) + "\n"
    (workspace / "data/relabels.csv").write_text(header)
    (workspace / "presets").mkdir()
    shutil.copyfile(ROOT / "presets/scratch_tuned.yaml", workspace / "presets/scratch_tuned.yaml")
    settings = (ROOT / "params.yaml").read_text()
    names = f"expressions: [{', '.join(EXPRESSIONS)}]"
    (workspace / "params.yaml").write_text(re.sub(r"expressions: \[.+\]", names, settings, count=1))
    git("init", "--quiet", cwd=workspace)
    for key, value in {"user.name": "Ann", "user.email": "ann@example.org"}.items():
        git("config", key, value, cwd=workspace)
    Image.fromarray(np.full((48, 48), 90, np.uint8)).save(folder / "face.png")
    return folder


@pytest.mark.parametrize(
    ("words", "printed"),
    [
        (["predict", "face.png", "--whole-images", "--format", "csv"], "face.png"),
        (["bundle", "--output", "here.zip"], "scratch -> here.zip"),
        (["export", "scratch", "--format", "litert"], "scratch -> scratch.tflite"),
        (["preset", "scratch_tuned"], "models.scratch."),
        (["label-studio-config"], "<View"),
        (["sample", "--faces", "120"], "120 faces -> the workspace/archive.zip"),
        (["accept-baseline", "--by", "Ann"], "-> the workspace/data/accepted/profile.json"),
        (["compare", "the workspace", "the workspace"], "No class is gone"),
    ],
    ids=lambda words: words[0] if isinstance(words, list) else "",
)
def test_the_work_is_the_workspace_s(elsewhere, monkeypatch, capsys, words, printed) -> None:
    monkeypatch.chdir(elsewhere)
    monkeypatch.setattr(sys, "argv", ["ferflow", *words, "--workspace", "the workspace"])
    main()
    assert printed in capsys.readouterr().out


@pytest.mark.parametrize("words", [["run"], ["serve"], ["add", "face.png"]])
def test_a_workspace_that_is_not_there_is_one_line(elsewhere, monkeypatch, words) -> None:
    monkeypatch.chdir(elsewhere)
    monkeypatch.setattr(sys, "argv", ["ferflow", *words, "--workspace", "nowhere"])
    with pytest.raises(SystemExit, match=r"^error: [^\n]*nowhere[^\n]*$"):
        main()


def test_any_name_of_a_file_is_taken(elsewhere: Path) -> None:
    names = [b"-odd.png", b"two words.png", b"caf\xe9.png", b"--format"]
    for name in names:
        shutil.copyfile(elsewhere / "face.png", elsewhere / name.decode(errors="surrogateescape"))
    words = ["--format", "jsonl", "--whole-images", "--workspace", "the workspace", "--", *names]
    finished = subprocess.run(
        [warm_programs() / "ferflow", "predict", *words],
        cwd=elsewhere, capture_output=True, check=False,
    )  # fmt: skip
    assert finished.returncode == 0, finished.stderr
    assert [json.loads(row)["path"] for row in finished.stdout.splitlines()] == [
        *("-odd.png", "two words.png", r"caf\xe9.png", "--format")
    ]
