"""Runs a command, and ends it with all its children when whoever started this is gone or lets go.

Run as a file, in a process group of its own, with a pipe as standard input: once that pipe is closed,
by hand or by the death of its other end, the group is asked to end (SIGTERM) and, after a while, made to
(SIGKILL).
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading


def main() -> None:
    """Runs the command that follows the seconds of grace, and exits as it did (128 + a signal)."""
    # A handler that does nothing, since an ignored signal would be ignored by the command, too.
    signal.signal(signal.SIGTERM, lambda *_: None)
    grace_seconds, *words = sys.argv[1:]
    command = subprocess.Popen(words, stdin=subprocess.DEVNULL)
    waiting = threading.Thread(
        target=_end_when_let_go, args=(command, float(grace_seconds)), daemon=True
    )
    waiting.start()
    code = command.wait()
    sys.exit(code if code >= 0 else 128 - code)


def leashed(command: list[str], *, grace_seconds: float) -> list[str]:
    """The command line that runs a command on a leash.

    Args:
        command: The program and its arguments.
        grace_seconds: What it has to end by itself, once it is asked to.
    """
    return [sys.executable, "-I", __file__, str(grace_seconds), *command]


def _end_when_let_go(command: subprocess.Popen, grace_seconds: float) -> None:
    sys.stdin.read()
    os.killpg(0, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        command.wait(grace_seconds)
    os.killpg(0, signal.SIGKILL)  # what is left of the group, this process included


if __name__ == "__main__":
    main()
