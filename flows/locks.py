"""Keeps one flow at a time in a workspace, and clears what killed processes left locked there."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fer_data.stage import UserError

FLOW_LOCK = Path(".dvc/tmp/flow.lock")


@contextmanager
def one_at_a_time(workspace: Path) -> Iterator[None]:
    """Holds the workspace against any other flow; the lock goes with the process that holds it.

    Raises:
        UserError: Another flow holds it.
    """
    file = workspace / FLOW_LOCK
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise UserError(
                f"a flow runs in {workspace.absolute()} already, as process "
                f"{lock.read().strip() or 'unknown'}: wait for it, or end it"
            ) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}")
        lock.flush()
        yield
