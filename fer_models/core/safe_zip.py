"""Opens untrusted zip archives within limits of size."""

import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

MOST_MEMBERS = 1000
MOST_TOTAL = 4_000_000_000
"""Bytes of all members together, unpacked."""
MOST_RATIO = 100
"""Bytes of all members together, unpacked, over those of the archive, where they exceed `FREE`."""
FREE = 10_000_000

BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    *(KeyError, EOFError, ValueError, OSError),
    RuntimeError,  # of what is encrypted, or packed in a way that zipfile lacks
)
"""What `zipfile` raises for a damaged archive or member."""

_END = b"PK\x05\x06"
_END_BYTES, _LOCATOR_BYTES = 22, 20
_LOCATOR = b"PK\x06\x07"  # of the second directory, of archives beyond 4 GB or 65,535 members
_MOST_DIRECTORY = 1_000_000
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_CHUNK = 1 << 20


class LimitError(Exception):
    """An archive, or a member, that is larger than allowed: how large, and what is allowed."""


@contextmanager
def bounded_zip(file: Path) -> Iterator[zipfile.ZipFile]:
    """Opens a zip archive, and checks its directory against the limits above, not yet the members.

    Raises:
        LimitError: It exceeds them.
        zipfile.BadZipFile: It is no zip archive.
        OSError: It cannot be read.
    """
    _check_directory(file)
    with zipfile.ZipFile(file) as archive:
        infos = archive.infolist()
        if len(infos) > MOST_MEMBERS:
            raise LimitError(f"{len(infos):,} members, expected at most {MOST_MEMBERS:,}")
        total = sum(info.file_size for info in infos)
        if total > MOST_TOTAL:
            raise LimitError(f"unpacks to {total:,} bytes, expected at most {MOST_TOTAL:,}")
        # Over the size on disk: members that overlap, or lie about theirs, gain nothing.
        size = file.stat().st_size
        if total > max(MOST_RATIO * size, FREE):
            raise LimitError(
                f"unpacks to {total / size:,.0f} times its size, expected at most {MOST_RATIO}"
            )
        yield archive


def copy_member(
    archive: zipfile.ZipFile,
    name: str,
    write: Callable[[bytes], Any],
    *,
    most_bytes: int = MOST_TOTAL,
) -> None:
    """Copies a member, counts the bytes as they come, and compares the checksum.

    Args:
        archive: What `bounded_zip` gave.
        name: The member's.
        write: Takes the bytes, chunk by chunk.
        most_bytes: How many may come.

    Raises:
        LimitError: More than `most_bytes` came, of which no more were written.
        KeyError: There is no such member.
        Exception: One of `BROKEN`: it is damaged.
    """
    info = archive.getinfo(name)
    if info.compress_type not in _METHODS:  # Python unpacks the others without a limit
        raise LimitError(f"{name} is packed by method {info.compress_type}, expected deflate")
    count = 0
    with archive.open(info) as source:
        while chunk := source.read(_CHUNK):
            count += len(chunk)
            if count > most_bytes:
                raise LimitError(f"{name} has more than {most_bytes:,} bytes")
            write(chunk)


def _check_directory(file: Path) -> None:
    """Refuses a directory that claims gigabytes: `zipfile` would read all of them."""
    with file.open("rb") as stream:
        size = stream.seek(0, 2)
        stream.seek(max(size - _END_BYTES - _LOCATOR_BYTES, 0))
        tail = stream.read()
    end = tail[-_END_BYTES:]
    if not end.startswith(_END) or end[-2:] != b"\0\0":
        raise zipfile.BadZipFile("its end is missing")
    if tail.startswith(_LOCATOR):
        raise LimitError("a directory for more than 4 GB or 65,535 members")
    directory = int.from_bytes(end[12:16], "little")
    if directory > _MOST_DIRECTORY:
        raise LimitError(
            f"a directory of {directory:,} bytes, expected at most {_MOST_DIRECTORY:,}"
        )
