"""Parses the rows of a decision log, whoever wrote them; `decision_log` checks their values."""

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fer_data.core.errors import UserError
from fer_data.core.schema import DECISION_COLUMNS

_NEW_LINE = re.compile("\r\n?")
_BEGINS_ROW = re.compile(r'\s*"?[0-9a-fA-F]{64}"?\s*,')
_MAX_NOTE_LINES = 100
"""Over how many lines a quoted field is looked for; such a row is refused, in one line."""
OTHER_MARKS = {";": "semicolons", "\t": "tabs"}
ADVICE = ", as Excel writes them in many countries: write commas in their place"
CONFLICT = "git left a merge conflict there: keep the lines of both sides, delete its marks"
_CONFLICT_MARKS = ("<<<<<<<", "|||||||", "=======", ">>>>>>>")


@dataclass(frozen=True)
class Row:
    """A row of a file of decisions, yet to be checked."""

    number: int
    """Of its first line."""
    fields: list[str]
    """In the order of `schema.DECISION_COLUMNS`, if there are as many."""
    error: str = ""
    """Why it could not be read, in words; empty if it could."""


def decode(data: bytes, *, file: Path) -> str:
    """The text of a file in UTF-8, without the mark that Excel puts before it.

    Raises:
        UserError: It is in another encoding; the message names `file`, and the line where known.
    """
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in data:
        raise UserError(f"{file} looks like UTF-16: save it in UTF-8")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise UserError(f"{file} is not UTF-8 (line {line}): save it in UTF-8") from None


def split_header(text: str) -> tuple[str, str]:
    """The first line, and the others, each of which ends with a line feed alone."""
    header, _, lines = _NEW_LINE.sub("\n", text).partition("\n")
    return header, lines


def check_header(line: str, *, file: Path) -> None:
    """Checks the first line of a file of decisions.

    Raises:
        UserError: The columns are others, or git left a conflict there.
    """
    try:
        header = [name.strip().lower() for name in _fields(line)]
    except csv.Error:
        header = [line]
    while header and not header[-1]:
        header.pop()
    if is_conflict(header):
        raise UserError(f"{file}, line 1: {CONFLICT}")
    if tuple(header) == DECISION_COLUMNS:
        return
    for mark, name in OTHER_MARKS.items():
        if tuple(line.strip().lower().split(mark)) == DECISION_COLUMNS:
            raise UserError(f"{file} has {name} between its columns{ADVICE}")
    found = ", ".join(header)[:200]
    raise UserError(
        f"{file} has the columns {found if found.isprintable() else repr(found)}; "
        f"expected {', '.join(DECISION_COLUMNS)}"
    )


def rows_of(text: str, *, first: int = 2) -> Iterator[Row]:
    """Parses the lines below the header.

    Empty lines, and Excel's lines of nothing but commas, are no rows. Hashes, labels and decisions are
    read without spaces around them and in lower case.

    Args:
        text: Lines that end with a line feed.
        first: The number of the first of them.

    Yields:
        A row a line, or for the lines of a quoted field together; a broken line takes no other with it.
    """
    lines = text.split("\n")
    place = 0
    while place < len(lines):
        start, reason, fields = place, "", list[str]()
        place += 1
        try:
            fields = _fields(lines[start])
        except csv.Error as error:
            reason = f"not CSV: {error}"
            for end in range(start + 1, min(start + _MAX_NOTE_LINES, len(lines))):
                if _BEGINS_ROW.match(lines[end]):
                    break  # a quote that is not closed
                try:
                    fields = _fields("\n".join(lines[start : end + 1]))
                except csv.Error:
                    continue
                place, reason = end + 1, ""
                break
        if reason or any(field.strip() for field in fields):
            yield Row(first + start, normalised(fields), reason)


def _fields(line: str) -> list[str]:
    if '"' not in line:
        return line.split(",")  # which is all of CSV then, and five times as fast
    return next(csv.reader(io.StringIO(line, newline=""), strict=True), [])


def normalised(fields: list[str]) -> list[str]:
    """The fields as they are written down; Excel's empty ones past the last column are left out."""
    while len(fields) > len(DECISION_COLUMNS) and not fields[-1].strip():
        fields.pop()
    if len(fields) != len(DECISION_COLUMNS):
        return fields
    pixel_hash, given_label, decision, annotator, decided_at, note = fields
    words = (word.strip().lower() for word in (pixel_hash, given_label, decision))
    return [*words, annotator.strip(), decided_at.strip(), note]


def is_conflict(row: list[str]) -> bool:
    """Whether a row is a mark that git sets between two sides of a conflict."""
    return bool(row) and row[0].startswith(_CONFLICT_MARKS)
