import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from flows.workspace import subprocesses
from flows.workspace.subprocesses import Finished, StoppedError, run

PATIENCE = 60.0
FAMILY = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(child.pid, flush=True)
time.sleep(600)
"""
HOLDER = """
import os, sys, threading
from pathlib import Path
from flows.workspace.subprocesses import run
run([sys.executable, "-c", sys.argv[1]], cwd=Path(), environment=os.environ, timeout_seconds=600,
    stop=threading.Event(), on_line=lambda line: print(line, flush=True))
"""


def run_python(
    code: str, *, timeout_seconds: float = PATIENCE, stop: threading.Event | None = None
) -> tuple[Finished, list[str]]:
    lines: list[str] = []
    finished = run(
        [sys.executable, "-c", code],
        cwd=Path(),
        environment=os.environ,
        timeout_seconds=timeout_seconds,
        stop=stop or threading.Event(),
        on_line=lines.append,
    )
    return finished, lines


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return
        time.sleep(0.05)
    os.kill(pid, signal.SIGKILL)
    pytest.fail(f"process {pid} outlived what started it")


def test_lines_of_both_outputs_come_in_order() -> None:
    code = "import sys; print('a', flush=True); print('b', file=sys.stderr, flush=True); print('c')"
    finished, lines = run_python(code)
    assert finished == Finished(0, ("a", "b", "c"), timed_out=False)
    assert lines == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("code", "exit_code"),
    [("raise SystemExit(3)", 3), ("import os; os.kill(os.getpid(), 9)", 128 + 9)],
)
def test_the_exit_code_says_how_it_ended(code: str, exit_code: int) -> None:
    assert run_python(code)[0].code == exit_code


def test_lines_that_are_read_after_the_command_ended_are_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read = subprocesses._read

    def late(*arguments: Any) -> None:
        time.sleep(1)
        read(*arguments)

    monkeypatch.setattr(subprocesses, "_read", late)
    finished, lines = run_python("print('the last word')")
    assert finished.lines == ("the last word",)
    assert lines == ["the last word"]


def test_a_command_that_takes_too_long_is_ended_with_its_children() -> None:
    finished, lines = run_python(FAMILY, timeout_seconds=3)
    assert finished.timed_out
    wait_until_gone(int(lines[0]))


def test_a_command_that_will_not_end_is_made_to() -> None:
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True);"
    finished, _ = run_python(f"{deaf} import time; time.sleep(600)", timeout_seconds=3)
    assert finished.timed_out


def test_stopping_ends_the_command_and_its_children() -> None:
    stop, lines = threading.Event(), []

    def note_and_stop(line: str) -> None:
        lines.append(line)
        stop.set()

    with pytest.raises(StoppedError):
        run(
            [sys.executable, "-c", FAMILY],
            cwd=Path(),
            environment=os.environ,
            timeout_seconds=PATIENCE,
            stop=stop,
            on_line=note_and_stop,
        )
    wait_until_gone(int(lines[0]))


def test_nothing_starts_once_stopped(tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(StoppedError):
        run_python(f"open({str(tmp_path / 'ran')!r}, 'w')", stop=stop)
    assert not (tmp_path / "ran").exists()


def test_a_command_dies_with_whoever_started_it() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, FAMILY], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout
        grandchild = int(holder.stdout.readline())
        holder.kill()  # -9: it has no chance to tidy up
    wait_until_gone(grandchild)


def test_a_command_dies_where_holder_and_leash_are_killed_at_once() -> None:
    """As Ray's agent does to a worker and its children when a node is lost."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, FAMILY], stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout
        child = int(holder.stdout.readline())
        (watchdog,) = psutil.Process(holder.pid).children()
        family = psutil.Process(holder.pid).children(recursive=True)
        watchdog.kill()
        holder.kill()
        for process in family:
            wait_until_gone(process.pid)
    assert child in {process.pid for process in family}


def test_what_a_command_leaves_in_the_background_does_not_outlive_it() -> None:
    finished, lines = run_python(FAMILY.rpartition("time.sleep")[0])
    assert finished.code == 0
    wait_until_gone(int(lines[0]))


def test_a_group_of_which_only_dead_processes_are_left_is_no_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: int) -> None:  # as macOS does, where Linux finds nobody to refuse
        raise PermissionError

    monkeypatch.setattr(os, "killpg", refuse)
    finished, lines = run_python("print(1)")
    assert (finished.code, lines) == (0, ["1"])
