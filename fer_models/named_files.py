"""Which files a command line means: words go in, paths of pictures and films come out."""

import sys
from collections.abc import Iterable, Iterator
from glob import glob, has_magic
from pathlib import Path

PICTURES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
"""What is taken from a folder; a file that is named is tried, whatever it is called."""
FILMS = frozenset({".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm"})

STANDARD_INPUT = "-"


def named_files(words: Iterable[str], *, lines: Iterable[str] | None = None) -> Iterator[Path]:
    """The files that words name, in their order.

    Args:
        words: Each a file, a folder (its pictures and those below, sorted; no hidden ones), a pattern
            with `*`, `?`, `[...]` or `**`, or `-` for a list, one path a line.
        lines: That list; standard input by default. It is read as it comes.

    Yields:
        Paths. What does not exist is among them, so that whoever reads it says so.
    """
    for word in words:
        if word == STANDARD_INPUT:
            for line in sys.stdin if lines is None else lines:
                if line.strip():
                    yield from _files_of(line.rstrip("\r\n"))
        else:
            yield from _files_of(word)


def is_film(file: Path) -> bool:
    """Whether a file is one, by its name."""
    return file.suffix.lower() in FILMS


def _files_of(word: str) -> Iterator[Path]:
    if has_magic(word) and not Path(word).exists():
        matches = sorted(glob(word, recursive=True))  # noqa: PTH207 pathlib takes no absolute ones
        for match in matches or [word]:
            yield from _pictures_below(Path(match))
    else:
        yield from _pictures_below(Path(word))


def _pictures_below(path: Path) -> Iterator[Path]:
    """The file itself; or a folder's pictures, and the folder where it has none."""
    if not path.is_dir():
        yield path
        return
    files = [
        file
        for file in sorted(path.rglob("*"))
        if file.suffix.lower() in PICTURES
        and file.is_file()
        and not any(part.startswith(".") for part in file.relative_to(path).parts)
    ]
    yield from files or [path]
