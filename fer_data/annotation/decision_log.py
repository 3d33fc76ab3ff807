"""Reads and checks the decision log, `data/relabels.csv`."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd

from fer_data.annotation.append_lines import read_whole
from fer_data.annotation.apply_decisions import NO_CLASS
from fer_data.annotation.decision_rows import (
    ADVICE,
    CONFLICT,
    OTHER_MARKS,
    Row,
    check_header,
    decode,
    is_conflict,
    rows_of,
    split_header,
)
from fer_data.annotation.latest_decisions import moment_of
from fer_data.core.errors import UserError
from fer_data.core.schema import DECIDED_AT, DECISION_COLUMNS, DROP, KEEP, UNDO

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""What makes a spreadsheet take a field for a formula (OWASP, CSV injection)."""
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""Line breaks, control characters, and halves of characters, which no UTF-8 file can hold."""
_HASH = re.compile("[0-9a-f]{64}")
_MAX_AHEAD = timedelta(days=1)


def read_decisions(file: Path, *, expressions: tuple[str, ...]) -> pd.DataFrame:
    """Reads all decisions, in the order of their lines.

    Args:
        file: The decisions, CSV in UTF-8, with a header.
        expressions: The names that a decision may hold, retired ones too.

    Returns:
        One row a decision, all columns text: see `schema.DECISION_COLUMNS`.

    Raises:
        UserError: The file is missing, is no such CSV, or a row's hash or decision is not valid; the
            message names the row.
    """
    data, _ = read_whole(file)
    return checked_rows(data, file=file, expressions=expressions)


def checked_rows(data: bytes, *, file: Path, expressions: tuple[str, ...]) -> pd.DataFrame:
    """Takes and returns what `read_decisions` does, with the file's content at hand.

    Raises:
        UserError: As `read_decisions`.
    """
    header, lines = split_header(decode(data, file=file))
    check_header(header, file=file)
    rows = [checked(row, expressions, where=f"{file}, line {row.number}") for row in rows_of(lines)]
    return pd.DataFrame(rows, columns=list(DECISION_COLUMNS), dtype=str)


def checked(row: Row, expressions: tuple[str, ...], *, where: str) -> list[str]:
    """The fields of a valid row.

    Raises:
        UserError: It has an error: see `error_of_row`; the message begins with `where`.
    """
    reason = row.error or error_of_row(row.fields, expressions)
    if reason:
        raise UserError(f"{where}: {reason}")
    return row.fields


def check_row(row: list[str], expressions: tuple[str, ...], *, where: str) -> None:
    """Checks one decision.

    Args:
        row: Its fields, in the order of `schema.DECISION_COLUMNS`.
        expressions: The classes that a decision may name.
        where: What the message begins with.

    Raises:
        UserError: It has an error: see `error_of_row`.
    """
    checked(Row(0, row), expressions, where=where)


def error_of_row(row: list[str], expressions: tuple[str, ...]) -> str:
    """Describes the error of a decision in one line; empty if it is valid.

    Args:
        row: Its fields, in the order of `schema.DECISION_COLUMNS`.
        expressions: The classes that a decision may name.

    Returns:
        Whether its number of fields, its hash, its decision, its time, or the label that it keeps is not
        valid, a spreadsheet would take a field for a formula, or a field holds what cannot be printed.
    """
    if is_conflict(row):
        return CONFLICT
    if len(row) != len(DECISION_COLUMNS):
        reason = f"got {len(row)} fields, expected {len(DECISION_COLUMNS)}"
        marks = [name for mark, name in OTHER_MARKS.items() if mark in "".join(row)]
        return f"{reason}: {marks[0]} between them{ADVICE}" if len(row) == 1 and marks else reason
    pixel_hash, given_label, decision, *_ = row
    if not _HASH.fullmatch(pixel_hash):
        return f"got the pixel hash {pixel_hash[:80]!r}, expected 64 hex digits"
    allowed = (*expressions, KEEP, DROP, UNDO)
    if decision not in allowed:
        return (
            f"got the decision {decision[:80]!r}, expected one of {', '.join(allowed)}: {NO_CLASS}"
        )
    for name, text in zip(DECISION_COLUMNS, row, strict=True):
        reason = error_of_text(text) if text else ""
        if reason:
            return f"the {name} {reason}"
    if decision == KEEP and given_label not in expressions:
        return (
            f"'{KEEP}' says that the given label is right: got {given_label[:80]!r}, "
            f"expected one of {', '.join(expressions)}: {NO_CLASS}"
        )
    return error_of_time(row[DECISION_COLUMNS.index(DECIDED_AT)])


def error_of_time(text: str) -> str:
    """Describes the error of a time in one line; empty if it is valid or left out."""
    moment = moment_of(text)
    if text and moment is None:
        return f"got the time {text[:40]!r}, expected such as 2026-01-31T10:00:00Z, or none"
    now = datetime.now(UTC)
    if moment is not None and moment > now + _MAX_AHEAD:
        return (
            f"the time {text!r} is more than a day ahead of now, {now:%Y-%m-%dT%H:%M:%SZ}: is the "
            "clock of this machine right, or of the one where it was decided?"
        )
    return ""


def error_of_text(text: str) -> str:
    """Describes why a field cannot hold a text, to follow its name; empty if it can."""
    if text.startswith(_FORMULA_STARTS):
        return f"{text[:40]!r} would be a formula in a spreadsheet: begin it with a letter"
    if _UNPRINTABLE.search(text):
        return "holds a line break or a control character: write it on one line"
    return ""
