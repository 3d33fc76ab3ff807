"""Reads the rows of a CSV file to import: each is an entry, or refused."""

from dataclasses import dataclass, field
from pathlib import Path

from fer_data.annotation.decision_log import error_of_row
from fer_data.annotation.decision_rows import (
    check_header,
    decode,
    is_conflict,
    rows_of,
    split_header,
)
from fer_data.annotation.decision_writer import Decision
from fer_data.core.errors import UserError
from fer_data.core.schema import DECISION_COLUMNS, KNOWN_EXPRESSIONS, expression_of_folder


@dataclass(frozen=True)
class Entry:
    """A row that could be read, and has yet to be checked."""

    number: int
    """Of the line, or of the task."""
    decision: Decision
    named: bool
    """Whether the file names the person who decided."""


@dataclass(frozen=True)
class Refusal:
    """A row that cannot be taken."""

    number: int
    reason: str
    """In words, on one line."""


@dataclass
class Reading:
    """The rows of a file, in its order."""

    unit: str
    """What its rows are: `line`, or `task`."""
    entries: list[Entry] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    num_skipped: int = 0
    """Tasks that people have skipped."""


def read_text(file: Path) -> str:
    """The text of a file that a user named.

    Raises:
        UserError: It is missing, not readable, or in another encoding than UTF-8.
    """
    try:
        return decode(file.read_bytes(), file=file)
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror}") from None


def read_csv_entries(text: str, *, file: Path) -> Reading:
    """Reads our own CSV, line by line, so that a broken line does not take others with it.

    Args:
        text: The content.
        file: Where it comes from, for the messages.

    Returns:
        An entry or a refusal a line; empty lines are neither.

    Raises:
        UserError: The columns are others.
    """
    header, lines = split_header(text)
    names = [name.strip().casefold() for name in header.split(",")]
    if any(expression_of_folder(name, KNOWN_EXPRESSIONS) for name in names):
        raise UserError(f"{file} has columns of classes, so it holds votes: give --votes, too")
    check_header(header, file=file)
    reading = Reading("line")
    for row in rows_of(lines):
        if row.error or len(row.fields) != len(DECISION_COLUMNS) or is_conflict(row.fields):
            reason = row.error or error_of_row(row.fields, ())
            reading.refusals.append(Refusal(row.number, reason))
            continue
        decision = Decision(*row.fields)
        reading.entries.append(Entry(row.number, decision, named=bool(decision.annotator)))
    return reading
