"""A short line and a prediction, as a person types them, without a complaint of Python.

`make newest` runs it on the newest Python that the machine has.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

from PIL import Image

from fer_data.synthetic.drawn_archive import write_sample
from flows.workspace.client import environment
from flows.workspace.create import make_workspace
from tests.support.models.scenes import scene
from tests.support.models.tiny_dataset import EXPRESSIONS
from tests.support.models.trained_workspace import make_models

COMPLAINTS = re.compile(r"Traceback|Exception ignored|\w+Warning: .*")


def printed(folder: Path, *words: str) -> str:
    """What a command prints, which must succeed and complain of nothing."""
    done = subprocess.run(
        words, cwd=folder, env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{words}: {done.stdout}\n{done.stderr}"
    assert COMPLAINTS.findall(done.stderr) == [], done.stderr
    return done.stdout


def test_it_is_a_python_that_is_supported() -> None:
    assert (3, 11) <= sys.version_info < (3, 14)


def test_the_line_runs(tmp_path: Path) -> None:
    write_sample(tmp_path / "archive.zip", num_faces=480)
    make_workspace(tmp_path / "workspace", archive=tmp_path / "archive.zip", overrides={})
    run = re.findall(
        r"^Running stage '(.+)':", printed(tmp_path / "workspace", "dvc", "repro", "split"), re.M
    )
    assert run == ["ingest", "validate", "split"]


def test_an_image_is_read(tmp_path: Path) -> None:
    folder = make_models(tmp_path / "workspace", "scratch")
    Image.fromarray(scene((30, 60, 100), (180, 20, 120))).save(folder / "two.png")
    words = ("ferflow", "predict", "two.png", "--format", "jsonl")
    rows = [json.loads(line) for line in printed(folder, *words).splitlines()]
    assert [row["face"] for row in rows] == [1, 2]
    assert {row["expression"] for row in rows} <= set(EXPRESSIONS)
