"""What may go of DVC's cache: on a workspace with a year of nights in seven."""

import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fer_data.core.errors import UserError
from flows.housekeeping.dvc_cache import cache_leftovers
from flows.housekeeping.leftovers import Leftovers
from flows.workspace.client import OWN_SETTINGS, environment, git
from tests.support.flows.cached_nights import cached_words, make_nights, night, track
from tests.support.flows.typed_commands import ok

NOW = datetime.now(UTC)
CUTOFF = NOW - timedelta(days=60)
LONG_AGO = (NOW - timedelta(days=100)).timestamp()
CLONE = Path(".dvc/tmp/flows/clone")


def commit(folder: Path, *, days_ago: int) -> None:
    date = (NOW - timedelta(days=days_ago)).isoformat(timespec="seconds")
    git("add", "--all", cwd=folder)
    command = ["git", *OWN_SETTINGS, "commit", "--quiet", "--message", "A night"]
    subprocess.run(
        command, cwd=folder, check=True, env=environment() | {"GIT_COMMITTER_DATE": date}
    )


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_nights(tmp_path_factory.mktemp("year") / "line")
    night(folder, "an old commit", at=LONG_AGO)
    commit(folder, days_ago=100)
    night(folder, "a tag", at=LONG_AGO)
    commit(folder, days_ago=99)
    git("tag", "v1", cwd=folder)
    night(folder, "a young commit", at=LONG_AGO)
    commit(folder, days_ago=3)
    git("checkout", "--quiet", "v1", cwd=folder)
    night(folder, "a detached head", at=LONG_AGO)
    commit(folder, days_ago=98)
    night(folder, "a clone", at=LONG_AGO)
    shutil.copytree(folder, folder / CLONE, ignore=shutil.ignore_patterns("tmp", "cache"))
    (folder / CLONE / ".dvc/config.local").write_text(f"[cache]\n    dir = {folder}/.dvc/cache\n")
    night(folder, "nothing", at=LONG_AGO)
    night(folder, "last night")
    track(folder, "archive", "the only copy", at=LONG_AGO)
    track(folder, "archive", "another", at=LONG_AGO)
    night(folder, "the workspace", at=LONG_AGO)
    return folder


def leftovers(line: Path) -> tuple[Leftovers, Leftovers]:
    outputs, runs = cache_leftovers(line, cutoff=CUTOFF, clones=[line / CLONE])
    return outputs, runs


def test_what_nothing_names_goes_unless_dvc_runs_and_all_else_stays(line: Path) -> None:
    before = cached_words(line)
    outputs, runs = leftovers(line)
    assert (outputs.number, outputs.num_bytes, runs.number) == (2, 20, 2)
    assert outputs.stays == (
        "6 objects (61 bytes), in use by the workspace, a branch, tag, young commit or experiment; "
        "1 object (10 bytes), young; "
        "1 object (13 bytes), which no stage can make again, such as archives"
    )
    assert runs.stays.startswith("6 runs (")

    code = "import fcntl, sys; lock = open('.dvc/tmp/lock', 'a'); fcntl.flock(lock, 2); print(); input()"
    with subprocess.Popen(
        [sys.executable, "-uc", code],
        **{"cwd": line, "stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True},
    ) as process:
        assert process.stdout
        process.stdout.readline()
        with pytest.raises(UserError, match=r"^DVC runs in .*: wait for it, or end it$"):
            outputs.remove()
        process.communicate("\n")
    assert cached_words(line) == before

    for one in (outputs, runs):
        one.remove()
    assert before - cached_words(line) == {"an old commit", "nothing"}
    assert [one.number for one in leftovers(line)] == [0, 0]
    assert ok(line, "dvc", "status").strip() == "Data and pipelines are up to date."


def test_a_workspace_that_dvc_cannot_read_loses_nothing(line: Path) -> None:
    text = (line / "dvc.lock").read_text()
    (line / "dvc.lock").write_text(text.replace("schema: '2.0'", "schema: ["))
    with pytest.raises(UserError, match=r"^`dvc gc` failed in .*dvc\.lock"):
        leftovers(line)
    (line / "dvc.lock").write_text(text)


def test_a_cache_that_others_may_share_is_left_alone(line: Path, monkeypatch) -> None:
    monkeypatch.setattr("flows.housekeeping.dvc_cache.dvc", lambda *_, **__: "/srv/cache\n")
    (found,) = cache_leftovers(line, cutoff=CUTOFF, clones=[])
    assert (found.where, found.number) == ("/srv/cache", 0)
    assert found.stays.startswith("all: it lies outside of the workspace, and others may use it")
