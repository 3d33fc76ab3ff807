"""A folder of programs that begin in a tenth of a second, where new processes take five seconds."""

import fcntl
import functools
import os
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.support.warm import server

NAMES = ("python", "dvc", "ferflow")


@functools.cache
def warm_programs() -> Path:
    """A folder to put first in PATH, with `python`, `dvc` and `ferflow`.

    Each asks one process that all test processes of a run share, which this starts where need be.
    `python -m MODULE` begins there; all else that a person may give `python` begins as ever.
    """
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", f"{os.getpid()}")
    folder = Path(tempfile.gettempdir()) / f"ferflow-tests-{run}"
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            _start(folder)
        lease = socket.socket(socket.AF_UNIX)
        lease.connect(str(folder / "socket"))
        lease.sendall(server.LEASE)
    lease.detach()  # it ends with this process
    return folder


def kill(process: subprocess.Popen[str]) -> None:
    """Ends one of the programs by SIGKILL, and waits until it has ended."""
    process.send_signal(signal.SIGUSR1)
    process.communicate(timeout=60)


def _start(folder: Path) -> None:
    """Starts the process, which imports while others ask already."""
    folder.mkdir()
    client = Path(__file__).with_name("client.py").read_text()
    for name in NAMES:
        (folder / name).write_text(f"#!{sys.executable} -IS\n{client}")
        (folder / name).chmod(0o755)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / "socket"))
        listening.listen(64)
        listening.set_inheritable(True)
        log = os.open(folder / "log", os.O_WRONLY | os.O_CREAT)
        os.posix_spawn(
            sys.executable,
            # "dvc" stands there for the copies, of whose locks others ask whether DVC lives.
            [sys.executable, server.__file__, str(listening.fileno()), "dvc"],
            os.environ,
            file_actions=[(os.POSIX_SPAWN_DUP2, log, number) for number in (1, 2)],
            setsid=True,
        )
        os.close(log)
