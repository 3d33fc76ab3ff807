"""Appends lines to a file atomically: all of them or none, whatever kills the writer.

The kernel may end a write between two pages of memory for a process that is killed. So before it
appends, a writer puts down beside the file what it is about to append and where, and takes that away
afterwards. What a killed writer left of its lines was never acknowledged: readers pass it over, and
the next writer takes it away. A last line without its end that an editor left is none of these.
"""

import contextlib
import errno
import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fer_data.core.errors import UserError
from fer_data.core.files import sync_folder

_UNLOCKABLE = {errno.ENOLCK, errno.ENOTSUP, errno.EBADF}
"""What file systems say that know no locks, or none of readers."""


class Appendable:
    """A file that is locked against other writers."""

    def __init__(self, path: Path, descriptor: int) -> None:
        """Takes a file whose lock the caller holds, and what a killed writer left of it away."""
        self.path = path
        self._descriptor = descriptor
        data = self.read()
        if len(data) < self.size:
            self._cut(len(data))
        _plan_of(path).unlink(missing_ok=True)

    @property
    def size(self) -> int:
        """In bytes."""
        return os.fstat(self._descriptor).st_size

    @property
    def stamp(self) -> tuple[int, int, int]:
        """Inode, size and time of the last change: equal as long as the file is unchanged."""
        return _stamp(os.fstat(self._descriptor))

    def read(self) -> bytes:
        """All whole lines that were acknowledged, or written by an editor."""
        return _without_half(self.path, _read_all(self._descriptor))

    def append(self, lines: bytes) -> bytes:
        """Appends lines, and returns when they are on the disk.

        Args:
            lines: With an end each.

        Returns:
            What was appended: the lines, and before them the end of the last one if it had none.

        Raises:
            OSError: The disk is full, say; the file is as it was.
        """
        # 1. The lines go to the place where the file ends now, and nowhere else.
        size = self.size
        if size and os.pread(self._descriptor, 1, size - 1) != b"\n":
            lines = b"\n" + lines  # an editor left the last line without its end
        # 2. The plan is on the disk, name included, before the first byte of the lines is.
        plan = _plan_of(self.path)
        try:
            with plan.open("wb") as unfinished:
                unfinished.write(_plan(size, lines))
                unfinished.flush()
                os.fsync(unfinished.fileno())
            sync_folder(plan.parent)
            # 3. The lines, however many writes they take, reach the disk.
            written = 0
            while written < len(lines):
                written += os.pwrite(self._descriptor, lines[written:], size + written)
            os.fsync(self._descriptor)
        except OSError:  # the file is as it was
            self._cut(size)
            raise
        finally:  # 4. without the plan, the lines count
            plan.unlink(missing_ok=True)
        return lines

    def _cut(self, size: int) -> None:
        os.ftruncate(self._descriptor, size)
        os.fsync(self._descriptor)


@contextmanager
def locked(file: Path) -> Iterator[Appendable]:
    """Locks the file for appending; a second writer, or a reader, waits.

    Raises:
        UserError: It is missing.
    """
    while True:
        try:
            opened = file.open("r+b", buffering=0)  # NFS locks only what may be written
        except FileNotFoundError:
            raise missing(file) from None
        with opened:
            fcntl.flock(opened, fcntl.LOCK_EX)
            if _is_still(file, opened.fileno()):
                yield Appendable(file.resolve(), opened.fileno())
                return


def read_whole(file: Path) -> tuple[bytes, tuple[int, int, int]]:
    """Reads the file between two appends.

    Returns:
        All whole lines that were acknowledged, or written by an editor; and the file's stamp, see
        `Appendable.stamp`.

    Raises:
        UserError: It is missing.
    """
    while True:
        try:
            opened = file.open("rb", buffering=0)
        except FileNotFoundError:
            raise missing(file) from None
        with opened:
            try:
                fcntl.flock(opened, fcntl.LOCK_SH)
            except OSError as error:
                if error.errno not in _UNLOCKABLE:
                    raise
            if _is_still(file, opened.fileno()):
                stamp = _stamp(os.fstat(opened.fileno()))
                return _without_half(file.resolve(), _read_all(opened.fileno())), stamp


def stamp_of(file: Path) -> tuple[int, int, int] | None:
    """Reads the file's stamp, see `Appendable.stamp`; None if it is missing."""
    try:
        return _stamp(file.stat())
    except FileNotFoundError:
        return None


def missing(file: Path) -> UserError:
    """The error that a missing file of decisions deserves, with the way back."""
    return UserError(f"{file} is missing: `git checkout {file}` brings it back")


def _is_still(file: Path, descriptor: int) -> bool:
    """Whether no other file was put in its place, by git or an editor, while this one was waited for."""
    try:
        return os.path.samestat(os.fstat(descriptor), file.stat())
    except FileNotFoundError:
        return False  # the next attempt to open it says so


def _stamp(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_ino, status.st_size, status.st_mtime_ns


def _read_all(descriptor: int) -> bytes:
    """Everything, from the beginning, wherever the descriptor stands."""
    parts, place = [], 0
    while part := os.pread(descriptor, 2**24, place):
        parts.append(part)
        place += len(part)
    return b"".join(parts)


def _plan_of(file: Path) -> Path:
    """Where a writer says what it is about to append; git and DVC ignore such names."""
    return file.with_name(f".{file.name}.unfinished")


def _plan(size: int, lines: bytes) -> bytes:
    return f"{size} {hashlib.sha256(lines).hexdigest()}\n".encode() + lines


def _without_half(file: Path, data: bytes) -> bytes:
    """The content without what a killed writer left of its lines, if that is how the file ends."""
    with contextlib.suppress(FileNotFoundError):
        head, _, lines = _plan_of(file).read_bytes().partition(b"\n")
        # The plan names the size before and the lines; the file must end with a beginning of them.
        size = int(head.split()[0]) if head[:1].isdigit() else -1
        tail = data[size:] if 0 <= size <= len(data) else b""
        # Of a plan that is no whole one itself, nothing was appended yet.
        if head + b"\n" + lines == _plan(size, lines) and tail != lines and lines.startswith(tail):
            return data[:size]
    return data
