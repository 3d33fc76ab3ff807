"""Runs a command, and ends it with all its children when its parent process ends or lets go.

Run as a file, in a process group of its own, with a pipe as standard input: once that pipe is closed,
by hand or by the death of its other end, the group is asked to end (SIGTERM) and, after a while, made to
(SIGKILL). So it is when this process itself is killed, as Ray does to the children of a lost worker: the
watch is kept by a second process.
"""

import os
import select
import signal
import subprocess
import sys
import time

_DONE = b"."


def main() -> None:
    """Runs the command that follows the seconds of grace, and exits as it did (128 + a signal)."""
    # A handler that does nothing, since an ignored signal would be ignored by the command, too.
    signal.signal(signal.SIGTERM, lambda *_: None)
    grace_seconds, *words = sys.argv[1:]
    read, write = os.pipe()
    watcher = os.fork()
    if watcher == 0:
        os.close(write)
        _watch(read, float(grace_seconds))
        os._exit(0)
    os.close(read)
    code = subprocess.Popen(words, stdin=subprocess.DEVNULL).wait()
    os.write(write, _DONE)
    os.waitpid(watcher, 0)
    sys.exit(code if code >= 0 else 128 - code)


def watched_command(command: list[str], *, grace_seconds: float) -> list[str]:
    """The command line that runs a command under a watchdog.

    Args:
        command: The program and its arguments.
        grace_seconds: What it has to end by itself, once it is asked to.
    """
    return [sys.executable, "-I", __file__, str(grace_seconds), *command]


def _watch(runner: int, grace_seconds: float) -> None:
    """Returns when the command has ended by itself; else ends the group, this process included.

    Args:
        runner: A pipe from the process that runs the command: a byte when that has ended, or the pipe's
            end when that process was killed.
        grace_seconds: Between asking and making.
    """
    readable, _, _ = select.select([sys.stdin, runner], [], [])
    if runner in readable and os.read(runner, 1) == _DONE:
        return
    os.killpg(0, signal.SIGTERM)
    if runner in readable:  # no process is left to report when the command has ended
        time.sleep(grace_seconds)
    else:
        select.select([runner], [], [], grace_seconds)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
