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

GRACE_SECONDS = 5.0


def main() -> None:
    """Runs the command of the arguments, and exits as it did: 128 and the number if by a signal."""
    # A handler that does nothing, since an ignored signal would be ignored by the command, too.
    signal.signal(signal.SIGTERM, lambda *_: None)
    command = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
    threading.Thread(target=_end_when_let_go, args=(command,), daemon=True).start()
    code = command.wait()
    sys.exit(code if code >= 0 else 128 - code)


def _end_when_let_go(command: subprocess.Popen) -> None:
    sys.stdin.read()
    os.killpg(0, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        command.wait(GRACE_SECONDS)
    os.killpg(0, signal.SIGKILL)  # what is left of the group, this process included


if __name__ == "__main__":
    main()
