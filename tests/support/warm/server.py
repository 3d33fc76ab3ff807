"""Imports what programs take seconds to import, then runs each of them in a copy of itself.

Only what others wrote is imported: a copy loads Ferflow's own modules anew, from where a new process
would find them. It ends with the last of the test processes that hold a lease.
"""

import atexit
import contextlib
import gc
import importlib
import json
import os
import runpy
import selectors
import shutil
import signal
import socket
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

# Before TensorFlow, as in a new process: see `fer_data.tensorflow_start`.
import fer_data  # noqa: F401

SLOW = (
    "pandas",
    "pyarrow.parquet",
    "tensorflow",
    "keras",
    "sklearn.metrics",
    "great_expectations",
    "cleanlab",
    "matplotlib.figure",
    "matplotlib.backends.backend_agg",
    "tensorflow_datasets",
    "dvclive",
    "dvc.cli",
    "dvc.repo",
    "dvc.api",
    "griffe",
    "httpx",
    "pendulum",
    "rich.table",
    "typer",
    "gradio",
)
OURS = ("fer_data", "fer_models", "flows")
LEASE = b"lease\n"


def main() -> None:
    """Serves until nobody holds a lease; in a copy, runs a program and ends as it does."""
    listening = socket.socket(fileno=int(sys.argv[1]))
    programs = Path(listening.getsockname()).parent
    for name in SLOW:
        importlib.import_module(name)
    for name in [name for name in sys.modules if name.partition(".")[0] in OURS]:
        del sys.modules[name]
    sys.meta_path[:] = [one for one in sys.meta_path if "fer_data" not in type(one).__module__]
    gc.collect()
    gc.freeze()
    program = _Server(listening).serve()
    if program is None:
        programs.with_suffix(".lock").unlink(missing_ok=True)
        shutil.rmtree(programs)
    else:
        _end(lambda: program.run(programs))


def _end(run: Callable[[], None]) -> None:
    """Runs a program and ends as Python does, but does not take its modules down, which takes long."""
    code: object = None
    try:
        run()
    except SystemExit as ending:
        code = ending.code
    except BaseException:
        traceback.print_exc()
        code = 1
    if not isinstance(code, int | None):
        sys.stderr.write(f"{code}\n")
        code = 1
    threading._shutdown()  # pyright: ignore[reportAttributeAccessIssue] # as Python's own end does
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(ValueError):  # it was closed
            stream.flush()
    os._exit(code or 0)


@dataclass(frozen=True)
class _Program:
    """What a copy runs."""

    words: list[str]
    folder: str
    environment: dict[str, str]

    def run(self, programs: Path) -> None:
        """Runs it; what it starts by the path of its Python is a copy again, from `programs`."""
        os.chdir(self.folder)
        os.environ.clear()
        os.environ.update(self.environment)
        tempfile.tempdir = None  # it may have been looked up already
        sys.path[1:1] = filter(None, self.environment.get("PYTHONPATH", "").split(os.pathsep))
        name, *words = self.words
        if name == "python":
            _, module, *words = words
            sys.argv[:] = ["-m", *words]
            sys.path[0] = self.folder
            runpy.run_module(module, run_name="__main__", alter_sys=True)
            return
        sys.argv[:] = [name, *words]
        sys.path[0] = str(Path(sys.executable).parent)
        sys.executable = str(programs / "python")
        cli = importlib.import_module({"dvc": "dvc.cli", "ferflow": "flows.cli.main"}[name])
        sys.exit(cli.main())


@dataclass
class _Server:
    listening: socket.socket
    selector: selectors.DefaultSelector = field(default_factory=selectors.DefaultSelector)
    leases: set[socket.socket] = field(default_factory=set)
    clients: dict[socket.socket, int] = field(default_factory=dict)
    """Each waits for the copy of this process id."""

    def serve(self) -> _Program | None:
        """Answers until the last lease ends: None. In a copy: what it is to run."""
        ended, wake = socket.socketpair()
        wake.setblocking(False)
        signal.set_wakeup_fd(wake.fileno())
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self.selector.register(self.listening, selectors.EVENT_READ)
        self.selector.register(ended, selectors.EVENT_READ)
        while True:
            for key, _ in self.selector.select():
                one = key.fileobj
                assert isinstance(one, socket.socket)
                if one is ended:
                    ended.recv(4096)
                    self._tell_of_ended()
                elif one is not self.listening:
                    self._hear(one)
                    if not self.leases:
                        return None
                elif (program := self._begin()) is not None:
                    signal.set_wakeup_fd(-1)
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    ended.close()
                    wake.close()
                    return program

    def _begin(self) -> _Program | None:
        """Takes a lease, or starts a copy."""
        client, _ = self.listening.accept()
        message, files, _, _ = socket.recv_fds(client, 1 << 16, 3)
        while not message.endswith(b"\n"):
            message += client.recv(1 << 16)
        self.selector.register(client, selectors.EVENT_READ)
        if message == LEASE:
            self.leases.add(client)
            return None
        pid = os.fork()
        if pid:
            for file in files:
                os.close(file)
            self.clients[client] = pid
            return None
        os.setsid()
        self.selector.close()
        for other in (self.listening, *self.leases, *self.clients, client):
            other.close()
        for number, file in enumerate(files):
            os.dup2(file, number)
            os.close(file)
        return _Program(**json.loads(message))

    def _hear(self, client: socket.socket) -> None:
        """Passes on a signal; of a client that is gone, ends the copy."""
        number = client.recv(1)
        if client in self.leases:
            self.leases.remove(client)
            self.selector.unregister(client)
            client.close()
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.clients[client], number[0] if number else signal.SIGKILL)
        if not number:
            self.selector.unregister(client)

    def _tell_of_ended(self) -> None:
        """Tells the clients of copies that have ended, with what status."""
        for client, pid in list(self.clients.items()):
            found, status = os.waitpid(pid, os.WNOHANG)
            if not found:
                continue
            del self.clients[client]
            with contextlib.suppress(KeyError):  # gone
                self.selector.unregister(client)
            with contextlib.suppress(OSError):
                client.sendall(str(os.waitstatus_to_exitcode(status)).encode())
            client.close()


if __name__ == "__main__":
    main()
