"""Two people decide on branches of their own: whichever is merged into which, labels are the same."""

import shutil
from pathlib import Path

import pytest

from fer_data.annotation.decision_log import read_decisions
from fer_data.annotation.decision_writer import Decision, append_decisions
from fer_data.annotation.latest_decisions import latest_decisions
from tests.support.flows.small_workspace import git

ROOT = Path(__file__).parents[3]
EXPRESSIONS = ("fear", "happy", "sad")
FILE = Path("data/relabels.csv")


def made(face: str, decision: str, annotator: str, minute: int) -> Decision:
    at = f"2026-01-31T10:{minute:02d}:00Z"
    return Decision(face * 64, "fear", decision, annotator, at)


ANN = [
    made("a", "sad", "ann", 1),
    made("b", "sad", "ann", 4),
    made("c", "sad", "ann", 1),
    made("c", "undo", "ann", 5),
    made("d", "keep", "ann", 9),
]
BOB = [
    made("a", "happy", "bob", 2),
    made("b", "happy", "bob", 3),
    made("c", "happy", "bob", 2),
    made("d", "drop", "bob", 3),
    made("d", "undo", "bob", 10),
]


@pytest.mark.parametrize("names", [("ann", "bob"), ("bob", "ann")])
def test_merges_in_both_directions_give_the_same_labels(tmp_path: Path, names) -> None:
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    git(tmp_path, "config", "user.name", "Ann")
    git(tmp_path, "config", "user.email", "ann@localhost")
    shutil.copyfile(ROOT / ".gitattributes", tmp_path / ".gitattributes")
    (tmp_path / FILE).parent.mkdir()
    shutil.copyfile(ROOT / FILE, tmp_path / FILE)
    git(tmp_path, "add", "--all")
    git(tmp_path, "commit", "--quiet", "--message", "Start")
    for name, lines in (("ann", ANN), ("bob", BOB)):
        git(tmp_path, "checkout", "--quiet", "-b", name, "main")
        append_decisions(tmp_path / FILE, lines, expressions=EXPRESSIONS)
        git(tmp_path, "commit", "--quiet", "--all", "--message", name)
    ours, theirs = names
    git(tmp_path, "checkout", "--quiet", ours)
    git(tmp_path, "merge", "--quiet", "--no-edit", theirs)
    standing = latest_decisions(read_decisions(tmp_path / FILE, expressions=EXPRESSIONS))
    labels = {face[0]: one for face, one in standing[["pixel_hash", "decision"]].to_numpy()}
    assert labels == {"a": "happy", "b": "sad", "c": "happy", "d": "keep"}
