"""Waits until what was written is on the disk, where it outlives the machine's power."""

import errno
import os
from pathlib import Path

_NO_SYNC = {errno.EINVAL, errno.ENOTSUP}
"""What file systems say that cannot wait for a folder, such as some on a network."""


def sync(path: Path) -> None:
    """Waits until a file, or a folder with all that is in it, is on the disk."""
    if not path.is_dir():
        _sync(path)
        return
    for folder, _, files in os.walk(path):
        for name in files:
            _sync(Path(folder, name))
        sync_folder(Path(folder))


def sync_folder(folder: Path) -> None:
    """Waits until the folder's entries, and so a renaming in it, are on the disk."""
    try:
        _sync(folder)
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
