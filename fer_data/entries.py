"""Reads decisions that were made elsewhere, in our own CSV: a line is an entry, or refused."""

import csv
import re
from dataclasses import dataclass, field
from pathlib import Path

from fer_data.decisions import Decision
from fer_data.relabels import check_header, decode, fault_of_row, is_conflict
from fer_data.schema import RELABEL_COLUMNS
from fer_data.stage import UserError


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
    """What a file holds, in its order."""

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
    header, *lines = re.split("\r\n|\r|\n", text)
    check_header(_fields(header), file=file)
    reading = Reading("line")
    for number, line in enumerate(lines, start=2):
        if not line:
            continue
        try:
            fields = _fields(line)
        except csv.Error as error:
            reading.refusals.append(Refusal(number, f"not CSV: {error}"))
            continue
        if len(fields) != len(RELABEL_COLUMNS) or is_conflict(fields):
            reading.refusals.append(Refusal(number, fault_of_row(fields, ())))
            continue
        decision = Decision(*fields)
        reading.entries.append(Entry(number, decision, named=bool(decision.annotator)))
    return reading


def _fields(line: str) -> list[str]:
    return next(csv.reader([line], strict=True), [])
