"""Runs a command with its lines as they come, and ends it in time, with all its children."""

import contextlib
import os
import queue
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from flows.workspace.watchdog import watched_command

LINES_KEPT = 200
GRACE_SECONDS = 5.0
POLL_SECONDS = 0.2
LAST_WORDS_SECONDS = 5.0


class StoppedError(Exception):
    """The flow is ending: what ran was ended, and nothing is to start."""


@dataclass(frozen=True)
class Finished:
    """How a command ended."""

    code: int
    """Its exit code; 128 and the signal's number where a signal ended it."""
    lines: tuple[str, ...]
    """The last ones that it printed, on either output."""
    timed_out: bool
    """Whether it was ended for taking too long."""


def run(
    command: list[str],
    *,
    cwd: Path,
    environment: Mapping[str, str],
    timeout_seconds: float,
    stop: threading.Event,
    on_line: Callable[[str], None],
) -> Finished:
    """Runs a command in a process group of its own, which ends with this process at the latest.

    Args:
        command: The program and its arguments.
        cwd: The folder to run it in.
        environment: All of its environment.
        timeout_seconds: After which it is ended.
        stop: When set, the command is ended.
        on_line: Called with each line that it prints.

    Raises:
        StoppedError: `stop` was set.
    """
    if stop.is_set():
        raise StoppedError
    process = subprocess.Popen(
        watched_command(command, grace_seconds=GRACE_SECONDS),
        cwd=cwd,
        env=dict(environment),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    lines: queue.Queue[str | None] = queue.Queue()
    reader = threading.Thread(target=_read, args=(process, lines), daemon=True)
    reader.start()
    kept: deque[str] = deque(maxlen=LINES_KEPT)
    deadline, timed_out = time.monotonic() + timeout_seconds, False
    try:
        while not stop.is_set() and not timed_out:
            try:
                line = lines.get(timeout=POLL_SECONDS)
            except queue.Empty:
                if process.poll() is not None:
                    break  # what it left in the background holds its output open
                timed_out = time.monotonic() > deadline
                continue
            if line is None:
                break
            kept.append(line)
            on_line(line)
            timed_out = time.monotonic() > deadline
    finally:
        _let_go(process)
        reader.join(LAST_WORDS_SECONDS)
    # On a busy machine the command may end before its last lines are read.
    while not lines.empty():
        line = lines.get_nowait()
        if line is not None:
            kept.append(line)
            on_line(line)
    if stop.is_set():
        raise StoppedError
    return Finished(process.returncode, tuple(kept), timed_out)


def captured(
    command: list[str], *, cwd: Path, environment: Mapping[str, str], timeout_seconds: float
) -> subprocess.CompletedProcess[str]:
    """Runs a command as `run` does, and keeps both of its outputs, whole and apart.

    Raises:
        subprocess.TimeoutExpired: It took too long, and was ended.
    """
    read, held = os.pipe()  # the watchdog ends what it runs once `held` is closed
    with subprocess.Popen(
        watched_command(command, grace_seconds=GRACE_SECONDS),
        cwd=cwd,
        env=dict(environment),
        stdin=read,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        os.close(read)
        try:
            printed, said = process.communicate(timeout=timeout_seconds)
        finally:
            os.close(held)
    return subprocess.CompletedProcess(command, process.returncode, printed, said)


def _read(process: subprocess.Popen[str], lines: "queue.Queue[str | None]") -> None:
    assert process.stdout
    with process.stdout:
        for line in process.stdout:
            lines.put(line.rstrip())
    lines.put(None)


def _let_go(process: subprocess.Popen[str]) -> None:
    """Lets the watchdog end what still runs, waits until it has, and ends what was left behind."""
    if process.stdin:
        process.stdin.close()
    process.wait()
    with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS: all are dead, unburied
        os.killpg(process.pid, signal.SIGKILL)
