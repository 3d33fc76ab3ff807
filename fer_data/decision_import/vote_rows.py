"""Reads votes on images: a CSV with a row an image, and the number of votes for each class."""

import csv
import io
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fer_data.annotation.decision_rows import ADVICE, OTHER_MARKS
from fer_data.annotation.votes import UNKNOWN
from fer_data.core.errors import UserError
from fer_data.core.schema import DROP, KNOWN_EXPRESSIONS, expression_of_folder
from fer_data.decision_import.import_rows import Refusal, read_text
from fer_data.ingestion.canonical_archive import name_of_row

_COUNT: Final = re.compile("[0-9]{1,9}")
_NOT_A_FACE: Final = ("nf", "not_a_face", "no_face", "non_face")
_KEYS: Final = (
    *("pixel_hash", "path", "image_path", "file_name", "filename"),
    *("file", "image_name", "image", "name"),
)
_USAGE: Final = "usage"
"""FER2013's column of splits: where it stands, rows are in the order of `fer2013.csv`, as FER+'s are."""
_LEFT_ASIDE: Final = ("split", "label", "given_label")


@dataclass(frozen=True)
class VoteRow:
    """The votes on an image."""

    number: int
    """Of the line."""
    keys: tuple[str, ...]
    """What may name the image, the surest first: a pixel hash, a path or a file name."""
    counts: Counter[str]
    """The votes for each class, for `UNKNOWN`, and for `drop`: that it is not a face."""


@dataclass(frozen=True)
class VoteFile:
    """The votes of a file, in its order."""

    rows: list[VoteRow]
    refusals: list[Refusal]
    """Lines whose votes are no counts."""


def read_votes(file: Path, *, expressions: tuple[str, ...]) -> VoteFile:
    """Reads votes.

    Args:
        file: A CSV in UTF-8. A column names the image: `pixel_hash`, `path` or `file_name`; in FER+'s
            `fer2013new.csv` the place of the row does. Others are counts of votes, for a class under any
            of its names, for `unknown`, or for `NF` (not a face). `split` and `label` are left aside.
        expressions: The workspace's classes.

    Raises:
        UserError: It is missing, empty or no such CSV; no column names the image; a column has another
            name, or the meaning of one before; or none is of a class of the workspace.
    """
    try:
        header, *lines = csv.reader(io.StringIO(read_text(file), newline=""), strict=True)
    except (ValueError, csv.Error) as error:  # ValueError: there is no line at all
        reason = str(error) if isinstance(error, csv.Error) else "it is empty"
        raise UserError(f"{file} is no CSV: {reason}") from None
    names = ["_".join(name.casefold().split()) for name in header]
    keys = [names.index(key) for key in _KEYS if key in names]
    usage = names.index(_USAGE) if _USAGE in names else None
    mark = next((mark for mark in OTHER_MARKS if len(header) == 1 and mark in header[0]), None)
    if mark is not None:
        raise UserError(f"{file} has {OTHER_MARKS[mark]} between its columns{ADVICE}")
    if not keys and usage is None:
        raise UserError(
            f"{file} has no column that names the image (its columns: {_listed(header)}): expected "
            "pixel_hash, path or file_name, or FER+'s Usage"
        )
    if not any(map(any, lines)):
        raise UserError(f"{file} has a header and no votes below it")
    meanings = _meanings(names, header, file=file, expressions=expressions)
    result = VoteFile([], [])
    for number, (first, fields) in enumerate(_numbered(lines), start=1):
        if len(fields) != len(names):
            reason = f"got {len(fields)} fields, expected {len(names)}"
            result.refusals.append(Refusal(first, reason))
            continue
        counts: Counter[str] = Counter()
        for place, meaning in meanings.items():
            text = fields[place].strip() or "0"
            if not _COUNT.fullmatch(text):
                reason = (
                    f"got {text[:40]!r} votes for {header[place]}, expected a whole number of up to 9 "
                    "digits"
                )
                result.refusals.append(Refusal(first, reason))
                break
            counts[meaning] = int(text)
        else:
            named = [fields[place].strip() for place in keys]
            if usage is not None:
                named.insert(0, name_of_row(fields[usage].strip(), number))
            result.rows.append(VoteRow(first, tuple(filter(None, named)), counts))
    return result


def _numbered(lines: list[list[str]]) -> list[tuple[int, list[str]]]:
    """The lines that hold something, with their numbers in the file."""
    return [(number, line) for number, line in enumerate(lines, start=2) if any(line)]


def _meanings(
    names: list[str], header: list[str], *, file: Path, expressions: tuple[str, ...]
) -> dict[int, str]:
    """What the votes of each column of votes are for, by its place."""
    meanings: dict[int, str] = {}
    for place, name in enumerate(names):
        if name in (*_KEYS, _USAGE, *_LEFT_ASIDE):
            continue
        meaning = _meaning(name, expressions)
        if meaning is None:
            raise UserError(
                f"{file} has a column {header[place]!r}, which is no class: rename it to one of "
                f"{', '.join(dict.fromkeys((*expressions, *KNOWN_EXPRESSIONS)))}, unknown or NF, or "
                "take it out"
            )
        if meaning in meanings.values():
            raise UserError(f"{file} has two columns of votes for {meaning}: take one of them out")
        meanings[place] = meaning
    if not set(expressions) & set(meanings.values()):
        raise UserError(
            f"{file} has votes for no class of this workspace (its columns: {_listed(header)}): "
            f"expected some of {', '.join(expressions)}"
        )
    return meanings


def _meaning(name: str, expressions: tuple[str, ...]) -> str | None:
    """The class of the workspace that a column is for, or another known one, `UNKNOWN` or `drop`."""
    if name in _NOT_A_FACE:
        return DROP
    own = expression_of_folder(name, expressions)
    return own or expression_of_folder(name, (*KNOWN_EXPRESSIONS, UNKNOWN))


def _listed(header: list[str]) -> str:
    words = ", ".join(header)[:200]
    return words if words.isprintable() else repr(words)
