"""Waits until what was written is on the disk, where it outlives the machine's power."""

import os
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Waits until the folder's entries, and so a renaming in it, are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
