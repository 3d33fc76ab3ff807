"""Reads an untrusted zip safely: checks it as a whole first, then reads members within limits.

Nothing is ever extracted: a member is read into memory, and no further than its limit.
"""

import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from fer_data.core.errors import UserError
from fer_data.ingestion.member_names import (
    check_distinct,
    checked_path,
    is_folder,
    is_junk,
    named_as_folder,
)

_LOCAL_HEADER = b"PK\x03\x04"
# Only these two are read, since Python unpacks bzip2 and LZMA without a limit on the output.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
BROKEN = (
    zipfile.BadZipFile,
    RuntimeError,  # of what is encrypted, or packed in a way that zipfile lacks
    EOFError,
    ValueError,
    struct.error,
    zlib.error,
)
"""What `zipfile` raises of an archive, or a member, that is damaged or not for it."""


class MemberError(Exception):
    """Why one member of the archive cannot be taken: `kind: details`."""


@dataclass(frozen=True)
class Limits:
    """Limits of an archive, all checked before anything is unpacked."""

    max_member_bytes: int
    """Unpacked size of one member; a larger one is refused alone."""
    max_total_bytes: int
    """Unpacked size of all members."""
    max_compression_ratio: float
    """Unpacked size of all members over the size of the archive."""
    max_members: int
    """Number of entries of any kind."""


@dataclass(frozen=True)
class Member:
    """A file in the archive."""

    path: str
    """Its name, with `/` between the parts, and without empty parts and `.`."""
    info: zipfile.ZipInfo


class Archive:
    """A checked archive that is open for reading; `open_archive` makes one.

    Attributes:
        members: Its files, sorted by path, without folders and junk.
        num_junk: The number of files of file managers that were left out.
        comment: The zip file's own comment.
    """

    def __init__(self, file: Path, opened: zipfile.ZipFile, limits: Limits) -> None:
        """Checks the whole directory of the archive; see `open_archive`."""
        self._file, self._opened = file, opened
        self._size, self._limits = file.stat().st_size, limits
        self.comment = opened.comment
        # Sizes and names are checked by the zip's directory alone; nothing is unpacked yet.
        self.members, self.num_junk = checked_members(
            file, opened.infolist(), size=self._size, limits=limits
        )

    def read(self, member: Member) -> bytes:
        """The unpacked bytes of one member, at most `max_member_bytes`, its checksum compared.

        Raises:
            MemberError: The member is too large, damaged, or packed by a method that is not read.
            UserError: The archive itself can no longer be read.
        """
        info, limit = member.info, self._limits.max_member_bytes
        if info.file_size > limit:
            raise MemberError(
                f"too large: {info.file_size} bytes, at most {limit} (`ingest.max_member_bytes`)"
            )
        try:
            with self.opened(member) as stream:
                # One byte more than allowed, so that the end is seen and the checksum compared.
                return stream.read(limit + 1)
        except BROKEN as error:
            raise MemberError(f"damaged in the archive: {str(error) or 'it ends early'}") from None
        except OSError as error:
            raise UserError(f"{self._file} cannot be read: {error}") from None

    def opened(self, member: Member) -> IO[bytes]:
        """A stream of a member's unpacked bytes, to be closed; reading it may raise `BROKEN`.

        Raises:
            MemberError: The member has no such stream.
        """
        info = member.info
        if named_as_folder(info):
            raise MemberError(f"folder with content: {info.file_size} bytes under a folder's name")
        if info.compress_type not in _METHODS:
            raise MemberError(
                f"unsupported compression: method {info.compress_type}, expected stored or deflated"
            )
        # `zipfile` would seek there; a negative place would be an error of the operating system.
        if not 0 <= info.header_offset < self._size:
            raise MemberError("damaged in the archive: it begins outside of it")
        return self._opened.open(info)


def checked_members(
    file: Path, infos: list[zipfile.ZipInfo], *, size: int, limits: Limits
) -> tuple[list[Member], int]:
    """Checks names, types and sizes of all members before any is read.

    Args:
        file: What holds them, for messages.
        infos: The members, folders and junk too.
        size: The bytes of what holds them, as it is packed.
        limits: How much they may be.

    Returns:
        The files, sorted by path, without the junk of file managers, and the number of junk files.

    Raises:
        UserError: As `open_archive`.
    """
    _check_limits(file, infos, size, limits)
    members = [Member(checked_path(file, info), info) for info in infos]
    files = [member for member in members if not is_folder(member.info)]
    kept = [member for member in files if not is_junk(member.path)]
    check_distinct(file, (member.path for member in kept))
    return sorted(kept, key=lambda member: member.path), len(files) - len(kept)


@contextmanager
def open_archive(file: Path, limits: Limits) -> Iterator[Archive]:
    """Opens a zip, checks all of its directory, and closes it at the end.

    Args:
        file: The archive.
        limits: How much it may hold.

    Yields:
        The archive, whose members are yet to be read.

    Raises:
        UserError: It is missing, not a zip, half a download or encrypted; it exceeds a limit; or a
            member's name climbs out of the archive or occurs twice, or a member is a link.
    """
    with _opened(file) as opened:
        yield Archive(file, opened, limits)


def check_archive(file: Path) -> None:
    """Refuses what is no zip, or holds no file, before anything else is done with it.

    Raises:
        UserError: The message says what it is instead.
    """
    with _opened(file) as opened:
        if all(is_folder(info) for info in opened.infolist()):
            raise UserError(f"{file} is a zip without a file in it: download it again")


def _opened(file: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(file)
    except IsADirectoryError:
        raise UserError(f"{file} is a folder, expected a zip file") from None
    except UnicodeDecodeError as error:  # of a name that is marked as UTF-8
        raise UserError(
            f"{file}: member {bytes(error.object)[:200]!r} has a name that is no UTF-8, though the zip "
            "says so: pack the archive again"
        ) from None
    except BROKEN as error:
        raise UserError(f"{file} {_reason(file, error)}") from None
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror}") from None


def _reason(file: Path, error: Exception) -> str:
    """What is wrong with a file that does not open as a zip."""
    size = file.stat().st_size
    with file.open("rb") as stream:
        head = stream.read(16)
    if not head:
        return "is empty (0 bytes), expected a zip: download it again"
    if zipfile.is_zipfile(file):
        return f"is a damaged zip ({error}): download it again"
    if head.startswith(_LOCAL_HEADER):
        return (
            f"looks like half a download: it begins as a zip, but its end is missing after "
            f"{size:,} bytes: download it again"
        )
    return f"is not a zip: it begins with {head!r}: download it again"


def _check_limits(file: Path, infos: list[zipfile.ZipInfo], size: int, limits: Limits) -> None:
    if len(infos) > limits.max_members:
        raise UserError(
            f"{file} has {len(infos):,} members, more than `ingest.max_members` "
            f"({limits.max_members:,}) allows"
        )
    total = sum(info.file_size for info in infos)
    if total > limits.max_total_bytes:
        raise UserError(
            f"{file} unpacks to {total:,} bytes, more than `ingest.max_total_bytes` "
            f"({limits.max_total_bytes:,}) allows"
        )
    # Over the archive's real size: members that overlap, or lie about theirs, gain nothing.
    if total > limits.max_compression_ratio * size:
        raise UserError(
            f"{file} unpacks to {total / size:.0f} times its size, more than "
            f"`ingest.max_compression_ratio` ({limits.max_compression_ratio:g}) allows: images "
            "do not shrink so much, this may be a decompression bomb"
        )
