"""One kind of thing that piles up: what of it may go, and what stays."""

import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

NOTHING = "nothing is there"


@dataclass(frozen=True)
class Leftovers:
    """What may go of one kind, and how it goes."""

    what: str
    """In words, a plural: `clones of experiments`."""
    where: str
    """A path or a URL, without passwords."""
    number: int
    """How many may go."""
    num_bytes: int | None
    """How much space they take; None: not known."""
    stays: str
    """How many stay, and why."""
    remove: Callable[[], None] = lambda: None
    """Removes those that may go.

    Raises:
        UserError, OSError: Something could not be removed.
    """
    error: str = ""
    """Why it could not be looked at, so that all of it stays; empty where it was."""


def local_leftovers(
    what: str,
    where: Path,
    paths: Iterable[Path],
    *,
    stays: str,
    remove: Callable[[list[Path]], None] | None = None,
) -> Leftovers:
    """Describes files and folders of this machine that may go.

    Args:
        what: As in `Leftovers`.
        where: The folder that they lie in.
        paths: Those that may go, in the order in which they go.
        stays: As in `Leftovers`.
        remove: Removes them; by default one after the other.
    """
    going = list(paths)
    size = sum(map(size_of, going))
    return Leftovers(
        *(what, str(where), len(going), size, stays), lambda: (remove or remove_all)(going)
    )


def remove_all(paths: Iterable[Path]) -> None:
    """Removes files and folders; those that are gone already are no error."""
    for path in paths:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def size_of(path: Path) -> int:
    """The bytes of a file, or of all files below a folder; links count for nothing."""
    return sum(file.lstat().st_size for file in _files(path))


def last_change(path: Path) -> float:
    """When a file, or anything below a folder, was last written, in seconds since 1970."""
    return max((file.lstat().st_mtime for file in (path, *_files(path))), default=0.0)


def kept(*groups: tuple[Sequence[Path], str, str]) -> str:
    """Says what stays, and why.

    Args:
        *groups: Paths, the noun for one of them, and why they stay.

    Returns:
        `3 clones (12 MB), young`, with semicolons between groups; groups of nothing are left out.
    """
    words = [
        f"{counted(len(paths), noun)} ({space_in_words(sum(map(size_of, paths)))}), {why}"
        for paths, noun, why in groups
        if paths
    ]
    return "; ".join(words) or NOTHING


def counted(number: int, noun: str) -> str:
    """A number with its noun: `1 object`, `3 objects`."""
    return f"{number:,} {noun if number == 1 else f'{noun}s'}"


def space_in_words(num_bytes: float) -> str:
    """Bytes as people read them: `1.2 GB`, `340 MB`, `12 kB`."""
    for name, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if num_bytes >= size:
            digits = 0 if num_bytes >= 10 * size and name != "GB" else 1
            return f"{num_bytes / size:,.{digits}f} {name}"
    return f"{num_bytes:.0f} bytes"


def _files(path: Path) -> list[Path]:
    if not path.is_dir() or path.is_symlink():
        return [path] if path.is_symlink() or path.exists() else []
    return [file for file in path.rglob("*") if file.is_symlink() or file.is_file()]
