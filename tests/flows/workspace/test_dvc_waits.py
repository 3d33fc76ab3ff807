"""DVC's commands wait for whatever else DVC does in the workspace, under a watchdog and not for ever."""

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import psutil
import pytest
import zc.lockfile

from fer_data.core.errors import UserError
from flows.pipeline.flow import _check_nothing_is_left  # pyright: ignore[reportPrivateUsage]
from flows.workspace.client import dvc, environment
from flows.workspace.flow_lock import DVC_LOCK
from flows.workspace.graph import Graph, changed_stages
from tests.support.flows.tiny_graph import make_line, stage, write
from tests.support.flows.typed_commands import repro
from tests.support.servers.prefect import ROOT, wait_for

LONGER_THAN_DVC_WAITS = 12.0  # seconds; by itself it gives up after 3


@pytest.fixture
def line(tmp_path: Path) -> Path:
    stages = {"only": stage(write("only"), deps=["source"], outs=["only"])}
    folder = make_line(tmp_path / "line", stages)
    repro(folder)
    return folder


@contextmanager
def pushing(line: Path, *, seconds: float) -> Iterator[None]:
    """Holds DVC's lock of the workspace, as `dvc push` does from its first file to its last."""
    lock = zc.lockfile.LockFile(str(line / ".dvc/tmp/lock"))
    timer = threading.Timer(seconds, lock.close)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        lock.close()


CALLS: dict[str, Callable[[Path], object]] = {
    "status": changed_stages,
    "repro": partial(_check_nothing_is_left, graph=Graph({"only": ()}), timeout_minutes=5.0),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_push_elsewhere_is_waited_for(line: Path, call: Callable[[Path], object]) -> None:
    with pushing(line, seconds=LONGER_THAN_DVC_WAITS):
        call(line)


def test_a_file_that_another_dvc_has_is_waited_for(line: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", "input()", "dvc"], stdin=subprocess.PIPE, text=True
    ) as other:
        holder = {"pid": other.pid, "cmd": "dvc repro -s only"}
        (line / DVC_LOCK).write_text(json.dumps({"write": {str(line / "only"): holder}}))
        with pytest.raises(UserError, match=r"`dvc repro` failed in .*is being blocked by"):
            dvc("repro", "--force", cwd=line, timeout_seconds=60, pause_seconds=100)
        threading.Timer(8, other.communicate, ["\n"]).start()
        assert "Running stage 'only'" in dvc("repro", "--force", cwd=line, pause_seconds=0.5)
        assert other.wait(60) == 0


def test_a_lock_that_stays_is_one_line_in_time(line: Path) -> None:
    refusal = (
        r"`dvc status` did not end in .* within 15 seconds: does another DVC command run there\?"
    )
    with pushing(line, seconds=600), pytest.raises(UserError, match=refusal):
        dvc("status", cwd=line, timeout_seconds=15)


def test_what_dvc_runs_ends_with_a_flow_that_is_killed(tmp_path: Path) -> None:
    sleep = 'import os, time; open("pid", "w").write(str(os.getpid())); time.sleep(1000)'
    line = make_line(tmp_path / "line", {"only": stage(sleep, deps=["source"], outs=["only"])})
    code = (
        "from pathlib import Path; from flows.workspace.client import dvc; dvc('repro', cwd=Path())"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=line, env=environment() | {"PYTHONPATH": str(ROOT)}
    ) as flow:
        pid = int(wait_for(lambda: (line / "pid").exists() and (line / "pid").read_text()))
        stage_process = psutil.Process(pid)
        flow.send_signal(signal.SIGKILL)
    stage_process.wait(60)
