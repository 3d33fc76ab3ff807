"""Finds the images and videos that a command line names."""

import io
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from glob import glob, has_magic
from pathlib import Path

IMAGES = frozenset(
    {".avif", ".bmp", ".gif", ".heic", ".heif", ".jfif", ".jpeg", ".jpg", ".png", ".tif", ".tiff"}
    | {".webp"}
)
VIDEOS = frozenset(
    {".3g2", ".3gp", ".asf", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg"}
    | {".mpg", ".ogv", ".vob", ".webm", ".wmv"}
)
"""Suffixes of files that are tried although their first bytes are unknown, so that reading them gives
the reason. `.ts` and `.mts` are none: most such files that are no video are source code."""
FACES_VIDEO, FACES_TABLE = ".faces.mp4", ".faces.csv"
"""How the names of annotated videos and of their tables end, which are not taken from a folder again."""
STANDARD_INPUT = "-"

_HEAD = 512
_IMAGE_STARTS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"II*\0", b"MM\0*")
_VIDEO_STARTS = (
    b"\x1aE\xdf\xa3",  # Matroska, WebM
    b"FLV\x01",
    b"0&\xb2u\x8ef\xcf\x11",  # ASF: WMV
    b"\0\0\x01\xba",  # MPEG: VOB
    b"\0\0\x01\xb3",
)
_IMAGE_BRANDS = frozenset({b"avif", b"avis", b"heic", b"heix", b"heim", b"hevc", b"mif1", b"msf1"})
_SOUND_BRANDS = frozenset({b"M4A ", b"M4B "})
_QUICKTIME = frozenset({b"moov", b"mdat", b"wide"})
_PACKETS = ((0, 188), (4, 192))  # of MPEG transport streams, .m2ts with a time before each


def named_files(
    words: Iterable[str],
    *,
    lines: Iterable[str] | None = None,
    leave_out: Callable[[str], None] = lambda _: None,
) -> Iterator[Path]:
    """Lists the files that words name, in their order.

    Args:
        words: Each a file, a folder (its images and videos and those below, sorted; no hidden ones), a
            pattern with `*`, `?`, `[...]` or `**`, or `-` for a list, one path a line.
        lines: That list; standard input by default. It is read as it comes.
        leave_out: Called with a line for each folder and reason for which files are left out: how many
            of which kind.

    Yields:
        Paths. What does not exist is among them: reading it gives the error.
    """
    for word in words:
        if word == STANDARD_INPUT:
            for line in _standard_input() if lines is None else lines:
                if line.strip():
                    yield from _files_of(line.rstrip("\r\n"), leave_out)
        else:
            yield from _files_of(word, leave_out)


def is_video(file: Path) -> bool:
    """Whether a file is a video: by its first bytes, and where these are unknown, by its suffix."""
    kind = _kind(file)
    return kind == "video" or (kind is None and file.suffix.lower() in VIDEOS)


def _standard_input() -> Iterable[str]:
    """Its lines, as names of files are decoded: some are not UTF-8."""
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(encoding=sys.getfilesystemencoding(), errors="surrogateescape")
    return sys.stdin


def _files_of(word: str, leave_out: Callable[[str], None]) -> Iterator[Path]:
    if has_magic(word) and not Path(word).exists():
        matches = sorted(glob(word, recursive=True))  # noqa: PTH207 pathlib takes no absolute ones
        for match in matches or [word]:
            yield from _files_below(Path(match), leave_out)
    else:
        yield from _files_below(Path(word), leave_out)


def _files_below(path: Path, leave_out: Callable[[str], None]) -> Iterator[Path]:
    """The file itself; or a folder's images and videos, and the folder where it has none."""
    if not path.is_dir():
        yield path
        return
    written: Counter[str] = Counter()
    others: Counter[str] = Counter()
    taken = 0
    for file in sorted(path.rglob("*")):
        hidden = any(part.startswith(".") for part in file.relative_to(path).parts)
        if hidden or not file.is_file():
            continue
        suffix = file.suffix.lower()
        own = next((end for end in (FACES_VIDEO, FACES_TABLE) if file.name.endswith(end)), None)
        if own is not None:
            written[own] += 1
        elif _kind(file) is not None or suffix in IMAGES | VIDEOS:
            taken += 1
            yield file
        else:
            others[suffix or "without a suffix"] += 1
    for reason, left_out in (
        ("written by `ferflow predict`", written),
        ("being neither images nor videos", others),
    ):
        if left_out:
            kinds = ", ".join(f"{number} {kind}" for kind, number in sorted(left_out.items()))
            leave_out(f"left out of {path}, {reason}: {kinds}")
    if not taken:
        yield path


def _kind(file: Path) -> str | None:
    """`image` or `video` by the first bytes; None where they are unknown, or cannot be read."""
    try:
        if not file.is_file():  # what is read of a pipe is gone
            return None
        with file.open("rb") as stream:
            head = stream.read(_HEAD)
    except (OSError, ValueError):  # of a name with a NUL
        return None
    if head.startswith(_IMAGE_STARTS) or _is_bmp(head):
        return "image"
    if head.startswith(b"RIFF"):
        return {b"WEBP": "image", b"AVI ": "video"}.get(head[8:12])
    if head[4:8] == b"ftyp":
        brand = head[8:12]
        return None if brand in _SOUND_BRANDS else "image" if brand in _IMAGE_BRANDS else "video"
    if head.startswith(_VIDEO_STARTS) or head[4:8] in _QUICKTIME:
        return "video"
    if any(head[at::size][:2] == b"GG" for at, size in _PACKETS):
        return "video"
    return None


def _is_bmp(head: bytes) -> bool:
    """Whether a header of a known size follows the two letters, with which many texts begin."""
    return (
        head.startswith(b"BM") and head[15:18] == b"\0\0\0" and head[14] in (12, 40, 64, 108, 124)
    )


def in_words(path: os.PathLike[str] | str) -> str:
    """A name as text that can be written: bytes that are not UTF-8 are escaped."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def on_screen(text: str) -> str:
    """Text in one line, in which nothing moves a terminal's cursor, whatever names are in it."""
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode()
        for one in in_words(text)
    )
