"""Reads an untrusted zip safely: checks it as a whole first, then reads members within limits.

Nothing is ever extracted: a member is read into memory, and no further than its limit.
"""

import re
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fer_data.core.errors import UserError

JUNK_FOLDER = "__macosx"
JUNK_FILES = frozenset({".ds_store", "thumbs.db", "ehthumbs.db", "desktop.ini"})
"""What file managers leave behind, in lower case."""
JUNK_PREFIX = "._"
"""Of the files in which macOS keeps what exFAT and network drives cannot, beside each file."""

_LOCAL_HEADER = b"PK\x03\x04"
# Encrypted, strongly encrypted, or with a masked directory.
_ENCRYPTED_FLAGS = 0x0001 | 0x0040 | 0x2000
# Only these two are read, since Python unpacks bzip2 and LZMA without a limit on the output.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_BROKEN = (
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
    """

    def __init__(self, file: Path, opened: zipfile.ZipFile, limits: Limits) -> None:
        """Checks the whole directory of the archive; see `open_archive`."""
        self._file, self._opened = file, opened
        self._size, self._limits = file.stat().st_size, limits
        infos = opened.infolist()
        _check_limits(file, infos, self._size, limits)
        members = [Member(_checked_path(file, info), info) for info in infos]
        files = [member for member in members if not _is_folder(member.info)]
        kept = [member for member in files if not _is_junk(member.path)]
        _check_distinct(file, kept)
        self.members = sorted(kept, key=lambda member: member.path)
        self.num_junk = len(files) - len(kept)

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
        if _named_as_folder(info):
            raise MemberError(f"folder with content: {info.file_size} bytes under a folder's name")
        if info.compress_type not in _METHODS:
            raise MemberError(
                f"unsupported compression: method {info.compress_type}, expected stored or deflated"
            )
        if not 0 <= info.header_offset < self._size:
            raise MemberError("damaged in the archive: it begins outside of it")
        try:
            with self._opened.open(info) as stream:
                # One byte more than allowed, so that the end is seen and the checksum compared.
                return stream.read(limit + 1)
        except _BROKEN as error:
            raise MemberError(f"damaged in the archive: {str(error) or 'it ends early'}") from None
        except OSError as error:
            raise UserError(f"{self._file} cannot be read: {error}") from None


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
        if all(_is_folder(info) for info in opened.infolist()):
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
    except _BROKEN as error:
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


def _is_folder(info: zipfile.ZipInfo) -> bool:
    return _named_as_folder(info) and not info.file_size


def _named_as_folder(info: zipfile.ZipInfo) -> bool:
    return info.orig_filename.endswith(("/", "\\"))


def _is_junk(path: str) -> bool:
    *folders, name = path.casefold().split("/")
    return JUNK_FOLDER in folders or name in JUNK_FILES or name.startswith(JUNK_PREFIX)


def _checked_path(file: Path, info: zipfile.ZipInfo) -> str:
    """The normalised name of a member that may be read.

    It is made of `orig_filename`, since `filename` has been cut at a NUL.
    """
    name = info.orig_filename.replace("\\", "/")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    kind = stat.S_IFMT(info.external_attr >> 16)
    shown = f"{file}: member {info.orig_filename[:200]!r}"
    if info.flag_bits & _ENCRYPTED_FLAGS:
        raise UserError(f"{shown} is encrypted: pack the archive again without a password")
    # No carriage return gets through a CSV file, and no terminal is to be steered by a name.
    if _CONTROL.search(name) or not (parts or _is_folder(info)):
        raise UserError(f"{shown} has no valid name: pack the archive again")
    if name.startswith("/") or re.match("[A-Za-z]:", name) or ".." in parts:
        raise UserError(f"{shown} climbs out of the archive: pack it again with relative names")
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        what = "a symbolic link" if kind == stat.S_IFLNK else "no regular file"
        raise UserError(f"{shown} is {what}: pack the archive again with the files themselves")
    return "/".join(parts)


def _check_distinct(file: Path, members: list[Member]) -> None:
    """Refuses names that some file systems cannot tell apart, and a manifest's key must."""
    seen: dict[str, str] = {}
    for member in members:
        key = unicodedata.normalize("NFC", member.path).casefold()
        if key in seen:
            raise UserError(
                f"{file} has two members of one name, {seen[key]!r} and {member.path!r} (case and "
                "Unicode form do not count): pack it again without one of them"
            )
        seen[key] = member.path
