"""Tells files apart by what they hold."""

import hashlib
from pathlib import Path

_READ_BYTES = 2**20


def sha256_of(*files: Path) -> str:
    """The SHA-256 of the files' bytes, one file after the other, in hexadecimal."""
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as opened:
            while part := opened.read(_READ_BYTES):
                digest.update(part)
    return digest.hexdigest()
