"""A lock file that other processes respect for as long as this one lives."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fer_data.core.errors import UserError


class HeldError(UserError):
    """Another process holds the file."""


@contextmanager
def held(file: Path, *, refusal: str) -> Iterator[None]:
    """Takes a lock that goes with the process, however it ends; the file holds its number.

    Args:
        file: Made if need be; its folder is there.
        refusal: What to say where another process holds it; `{holder}` stands for that one's number.

    Raises:
        HeldError: Another process holds it.
    """
    with file.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            raise HeldError(refusal.replace("{holder}", holder)) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}")
        lock.flush()
        yield
