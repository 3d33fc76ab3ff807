"""Atomic and durable file writes, and checksums."""

import errno
import fcntl
import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from fer_data.core.errors import UserError

_NO_SYNC = {errno.EINVAL, errno.ENOTSUP}
"""What file systems say that cannot wait for a folder, such as some on a network."""
_FULL = (errno.ENOSPC, errno.EDQUOT)
_READ_BYTES = 2**20


def refuse_folder(target: Path) -> None:
    """Refuses to write where a folder is; call it before any work on what belongs there.

    Raises:
        UserError: `target` is a folder, or a link to one.
    """
    if target.is_dir():
        what = "a link to a folder" if target.is_symlink() else "a folder"
        raise UserError(
            f"{target} is {what}, which is not replaced: expected a name that does not exist yet"
        )


@contextmanager
def atomic_write(target: Path, *, replace_folder: bool = False) -> Iterator[Path]:
    """Gives a path beside `target` to write a file or a folder to, and renames it at the end.

    So `target` never holds half an output: after an error, a killed process or a power cut, it is as
    it was, or whole.

    Args:
        target: Where the finished file or folder belongs. Its parent is made if need be; a file that
            stands there is replaced.
        replace_folder: Whether a folder that stands there is replaced too, with all that is in it:
            only for a stage that owns the folder, never for a path that a person names.

    Yields:
        The path to write to, which does not exist yet.

    Raises:
        UserError: `target` is a folder, and `replace_folder` is false.
        OSError: Such as of a full disk, which names `target`.
    """
    if not replace_folder:
        refuse_folder(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    with _named_if_full(target), _own_folder(target) as folder:
        beside = folder / target.name
        yield beside
        sync(beside)
        if not replace_folder:
            refuse_folder(target)  # it may have come in the meantime
        elif target.is_dir():
            _remove(target)
        beside.replace(target)
        sync_folder(target.parent)


@contextmanager
def _named_if_full(target: Path) -> Iterator[None]:
    """Says what was being written when the disk was full, which the system leaves open."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL or error.filename is not None:
            raise
        raise OSError(error.errno, os.strerror(error.errno), str(target)) from error


@contextmanager
def _own_folder(target: Path) -> Iterator[Path]:
    """Makes a folder beside `target` that no other writer has, and removes it at the end.

    Those that killed processes left are removed too. A living process holds a lock on its own.
    """
    ours = re.compile(rf"\.{re.escape(target.name)}\.[0-9a-f]{{8}}\.unfinished")
    for left in target.parent.iterdir():
        if ours.fullmatch(left.name) and left.is_dir():
            with _locked(left) as locked:
                if locked:
                    shutil.rmtree(left, ignore_errors=True)
    while True:
        folder = target.with_name(f".{target.name}.{secrets.token_hex(4)}.unfinished")
        folder.mkdir()
        with _locked(folder, wait=True):
            if not folder.is_dir():
                continue  # another writer took it for left behind before it was locked
            try:
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)
            return


@contextmanager
def _locked(folder: Path, *, wait: bool = False) -> Iterator[bool]:
    """Whether this process holds the folder: not if it is gone, or its file system has no locks."""
    with ExitStack() as stack:
        try:
            descriptor = os.open(folder, os.O_RDONLY)
            stack.callback(os.close, descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except OSError:
            yield False
        else:
            yield True


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def sha256_of(*files: Path) -> str:
    """The SHA-256 of the files' bytes, one file after the other, in hexadecimal."""
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as opened:
            while part := opened.read(_READ_BYTES):
                digest.update(part)
    return digest.hexdigest()


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
