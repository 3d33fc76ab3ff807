"""Accepting that is refused: one line, and everything as it was."""

import errno
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from fer_data.core.errors import UserError
from flows.commands import accept
from flows.commands.accept import accept_baseline, accept_decisions
from tests.support.flows.small_workspace import ACCEPTED, RELABELS, decide, git, make

METRICS = {"scratch": {"test": {"accuracy": 0.5}}}


@pytest.fixture
def manifest(tmp_path: Path) -> pd.DataFrame:
    return make(tmp_path)


def no_repository(folder: Path) -> None:
    shutil.rmtree(folder / ".git")


def broken(folder: Path) -> None:
    with (folder / RELABELS).open("a") as file:
        file.write("half a li\n")


def conflict(folder: Path) -> None:
    with (folder / RELABELS).open("a") as file:
        file.write("<<<<<<< HEAD\n=======\n>>>>>>> theirs\n")


def unmerged(folder: Path) -> None:
    for branch, text in (("theirs", "a"), ("main", "b")):
        git(folder, "switch", "--quiet", *(["--create"] if branch == "theirs" else []), branch)
        (folder / "notes.txt").write_text(text)
        git(folder, "add", "notes.txt")
        git(folder, "commit", "--quiet", "--message", text)
    with pytest.raises(subprocess.CalledProcessError):
        git(folder, "merge", "theirs")


def refusing_hook(folder: Path) -> None:
    hook = folder / ".git/hooks/pre-commit"
    hook.write_text("#!/bin/sh\necho no >&2\necho way >&2\nexit 1\n")
    hook.chmod(0o755)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (no_repository, "is in no git repository: accepting is a commit; `git init` makes one"),
        (broken, r"relabels\.csv, line 2: got 1 fields, expected 6"),
        (
            conflict,
            r"relabels\.csv, line 2: git left a merge conflict there: keep the lines of both",
        ),
        (unmerged, "git commit failed in .*: fatal: cannot do a partial commit during a merge"),
        (refusing_hook, "git commit failed in .*: no way"),
    ],
)
def test_a_refusal_is_one_line_and_changes_nothing(tmp_path, manifest, spoil, message) -> None:
    spoil(tmp_path)
    decide(tmp_path, manifest, 0)
    before = state(tmp_path)
    with pytest.raises(UserError, match=message) as raised:
        accept_decisions(by="ann", folder=tmp_path)
    assert "\n" not in str(raised.value)
    assert state(tmp_path) == before


def test_a_disk_that_is_full_at_the_second_file_changes_nothing(
    tmp_path, manifest, monkeypatch
) -> None:
    decide(tmp_path, manifest, 0)
    before = state(tmp_path)
    write, calls = accept._write, []

    def full(file: Path, content: bytes | None) -> None:
        calls.append(file)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(file, content)

    monkeypatch.setattr(accept, "_write", full)
    with pytest.raises(OSError, match="No space left"):
        accept_decisions(by="ann", folder=tmp_path)
    assert len(calls) > 2
    assert state(tmp_path) == before


def state(folder: Path) -> tuple[dict[Path, bytes], str]:
    """What lies in the workspace's data, and what git says of it."""
    files = {file: file.read_bytes() for file in (folder / "data").rglob("*") if file.is_file()}
    in_git = (folder / ".git").exists()
    return files, git(folder, "status", "--porcelain") if in_git else ""


@pytest.mark.usefixtures("manifest")
def test_a_refused_first_acceptance_leaves_no_file(tmp_path: Path) -> None:
    git(tmp_path, "rm", "--quiet", "-r", str(ACCEPTED))
    git(tmp_path, "commit", "--quiet", "--message", "Older")
    refusing_hook(tmp_path)
    with pytest.raises(UserError, match="no way"):
        accept_baseline(by="ann", folder=tmp_path)
    assert git(tmp_path, "status", "--porcelain") == ""
    assert not (tmp_path / ACCEPTED / "profile.json").exists()


@pytest.mark.usefixtures("manifest")
@pytest.mark.parametrize("name", ["", "  ", "=ann", "ann\nbob"])
def test_a_name_that_is_none_is_one_line(tmp_path: Path, name: str) -> None:
    for accepts in (accept_decisions, accept_baseline):
        with pytest.raises(UserError, match="the name after --by ") as raised:
            accepts(by=name, folder=tmp_path)
        assert "\n" not in str(raised.value)


@pytest.mark.usefixtures("manifest")
def test_there_must_be_something_to_accept(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"relabels\.csv holds no decision: nothing to accept"):
        accept_decisions(by="ann", folder=tmp_path)
    (tmp_path / "data/faces/manifest.parquet").unlink()
    with pytest.raises(UserError, match=r"manifest\.parquet is missing"):
        accept_baseline(by="ann", folder=tmp_path)
