"""Opens a dataset as it came: a folder, a zip, a tar with a CSV in it, or a CSV alone.

Each is checked as a zip is: no links, no way out, no two names alike, and within the same limits.
Nothing is unpacked to disk.
"""

import csv
import gzip
import io
import os
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from fer_data.core.errors import UserError
from fer_data.ingestion.zip_archive import (
    BROKEN,
    Limits,
    Member,
    MemberError,
    checked_members,
    open_archive,
)

_TARS = (".tar", ".tar.gz", ".tgz")
_MAX_LINE_BYTES: Final = 2**20
"""Of a CSV file; a face of 48x48 takes less than 10,000."""
_DAMAGE = (*BROKEN, tarfile.TarError, gzip.BadGzipFile)


@dataclass(frozen=True)
class Dataset:
    """A checked dataset that is open for reading; `open_dataset` makes one."""

    path: Path
    members: list[Member]
    """Its files, sorted by path, without what file managers left."""
    read: Callable[[Member], bytes]
    """Returns the bytes of one file, at most `max_member_bytes`; raises `MemberError`."""
    opened: Callable[[Member], IO[bytes]]
    """Returns a stream of a file of any size, to be closed."""
    max_rows: int
    is_zip: bool = False
    comment: bytes = b""
    """Of a zip."""

    def rows(self, member: Member) -> Iterator[list[str]]:
        """Reads the rows of a CSV file, its header first; blank lines are skipped.

        Raises:
            UserError: It is no CSV in UTF-8, damaged, or has too many rows or too long ones.
        """
        where = f"{self.path}: {member.path}"
        try:
            for number, row in enumerate(csv.reader(self._lines(member, where), strict=True)):
                if number > self.max_rows:
                    raise UserError(
                        f"{where} has more rows than `ingest.max_members` ({self.max_rows:,}) allows"
                    )
                if row:
                    yield row
        except csv.Error as error:
            raise UserError(f"{where} is no CSV: {error}") from None

    def _lines(self, member: Member, where: str) -> Iterator[str]:
        try:
            with self.opened(member) as stream:
                encoding = "utf-8-sig"
                while line := stream.readline(_MAX_LINE_BYTES):
                    if len(line) == _MAX_LINE_BYTES:
                        raise UserError(f"{where} has a line of a million letters, so it is no CSV")
                    yield line.decode(encoding)
                    encoding = "utf-8"
        except UnicodeDecodeError:
            raise UserError(f"{where} is not UTF-8: save it in UTF-8") from None
        except (MemberError, *_DAMAGE) as error:
            raise UserError(f"{where} is damaged: {str(error) or 'it ends early'}") from None


@contextmanager
def open_dataset(path: Path, limits: Limits) -> Iterator[Dataset]:
    """Opens a dataset, checks the names, types and sizes of all its files, and closes it at the end.

    Args:
        path: A folder, a zip, a tar (`.tar`, `.tar.gz`, `.tgz`) or a `.csv`.
        limits: How much it may hold.

    Raises:
        UserError: It is missing, none of these, unsafe or damaged, or exceeds a limit.
    """
    if path.is_dir():
        yield _folder(path, limits)
    elif path.suffix.lower() == ".csv" and path.is_file():
        yield _of_files(path, [(path.name, path)], limits)
    elif path.name.lower().endswith(_TARS) and path.is_file():
        with ExitStack() as stack:
            yield _tar(path, limits, stack)
    elif path.is_file():
        with open_archive(path, limits) as archive:
            yield Dataset(
                path,
                archive.members,
                archive.read,
                archive.opened,
                limits.max_members,
                is_zip=True,
                comment=archive.comment,
            )
    else:
        raise UserError(
            f"no archive at {path}: expected a folder, a zip, a tar.gz or a CSV of faces"
        )


def _folder(path: Path, limits: Limits) -> Dataset:
    listed: list[tuple[str, Path]] = []
    folders = [path]
    # One too many is enough for the check of the limits to say so.
    while folders and len(listed) <= limits.max_members:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                # Links are not followed: the check of the names refuses them.
                if entry.is_dir(follow_symlinks=False):
                    folders.append(Path(entry.path))
                else:
                    file = Path(entry.path)
                    listed.append((file.relative_to(path).as_posix(), file))
    return _of_files(path, listed, limits)


def _of_files(path: Path, listed: list[tuple[str, Path]], limits: Limits) -> Dataset:
    infos: list[zipfile.ZipInfo] = []
    places: dict[str, Path] = {}
    for name, file in listed:
        facts = file.lstat() if file != path else file.stat()
        infos.append(_info(path, name, kind=facts.st_mode, size=facts.st_size))
        places[name] = file
    total = sum(info.file_size for info in infos)
    members, _ = checked_members(path, infos, size=max(total, 1), limits=limits)

    def opened(member: Member) -> IO[bytes]:
        return places[member.info.orig_filename].open("rb")

    def read(member: Member) -> bytes:
        limit = limits.max_member_bytes
        if member.info.file_size > limit:
            raise MemberError(f"too large: at most {limit} bytes (`ingest.max_member_bytes`)")
        with opened(member) as stream:
            return stream.read(limit)

    return Dataset(path, members, read, opened, limits.max_members)


def _tar(path: Path, limits: Limits, stack: ExitStack) -> Dataset:
    """A tar, which is read from its start for each file: made for one large CSV."""
    size = path.stat().st_size
    # A tar is padded with zeros, which pack to nothing.
    packed = int(limits.max_compression_ratio * size) + tarfile.RECORDSIZE
    most = min(limits.max_total_bytes, packed)

    def stream() -> tarfile.TarFile:
        file = stack.enter_context(path.open("rb"))
        is_packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        unpacked = gzip.GzipFile(fileobj=file) if is_packed else file
        return tarfile.open(fileobj=_Limited(path, unpacked, most), mode="r|")

    def read(member: Member) -> bytes:
        raise MemberError(f"in a tar: unpack {path.name}, and add the folder of {member.path}")

    def opened(member: Member) -> IO[bytes]:
        tar = stack.enter_context(stream())
        for info in tar:
            if info.name == member.info.orig_filename and (found := tar.extractfile(info)):
                return found
        raise MemberError("it is gone from the archive")

    try:
        with stream() as tar:
            infos: list[zipfile.ZipInfo] = []
            for one in tar:
                kind = (
                    stat.S_IFREG if one.isreg() else stat.S_IFDIR if one.isdir() else stat.S_IFLNK
                )
                name = f"{one.name}/" if one.isdir() else one.name
                infos.append(_info(path, name, kind=kind, size=0 if one.isdir() else one.size))
                if not 0 <= one.size <= most:  # `tarfile` would look for its end for hours
                    raise _too_large(path, most)
                if len(infos) > limits.max_members:
                    break  # the check of the limits says so
    except _DAMAGE as error:
        raise UserError(f"{path} is no whole tar ({error}): download it again") from None
    members, _ = checked_members(path, infos, size=size, limits=limits)
    return Dataset(path, members, read, opened, limits.max_members)


class _Limited(io.RawIOBase):
    """A stream that ends with an error where it unpacks to more than is allowed."""

    def __init__(self, path: Path, stream: io.BufferedIOBase, most: int) -> None:
        super().__init__()
        self._path, self._stream, self._left, self._most = path, stream, most, most

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise _too_large(self._path, self._most)
        return data


def _too_large(path: Path, most: int) -> UserError:
    return UserError(
        f"{path} unpacks to more than {most:,} bytes: `ingest.max_total_bytes` and "
        "`ingest.max_compression_ratio` allow no more, this may be a decompression bomb"
    )


def _info(path: Path, name: str, *, kind: int, size: int) -> zipfile.ZipInfo:
    """A file of a folder or a tar as the directory of a zip would list it."""
    try:
        name.encode()
    except UnicodeEncodeError:
        raise UserError(f"{path}: {name[:200]!r} has a name that is no UTF-8: rename it") from None
    info = zipfile.ZipInfo(name)
    info.external_attr, info.file_size = stat.S_IFMT(kind) << 16, size
    return info
