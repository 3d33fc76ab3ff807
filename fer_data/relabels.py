"""Reads the decisions of people, checked row by row."""

import csv
import io
import re
from pathlib import Path

import pandas as pd

from fer_data.schema import (
    ANNOTATOR,
    DECIDED_AT,
    DECISION,
    DROP,
    GIVEN_LABEL,
    KEEP,
    NOTE,
    PIXEL_HASH,
    RELABEL_COLUMNS,
    UNDO,
)
from fer_data.stage import UserError

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""What makes a spreadsheet take a field for a formula (OWASP, CSV injection)."""
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""Line breaks, control characters, and halves of characters, which no UTF-8 file can hold."""
_CONFLICT_MARKS = ("<<<<<<<", "|||||||", "=======", ">>>>>>>")


def read_relabels(file: Path, *, expressions: tuple[str, ...]) -> pd.DataFrame:
    """Reads all decisions, in the order in which they were made.

    Args:
        file: The decisions, CSV in UTF-8, with a header.
        expressions: The classes that a decision may name.

    Returns:
        One row a decision, all columns text: see `schema.RELABEL_COLUMNS`.

    Raises:
        UserError: The file is missing, is no such CSV, or a row's hash or decision is not valid; the
            message names the row.
    """
    try:
        text = decode(file.read_bytes(), file=file)
    except FileNotFoundError:
        raise UserError(f"{file} is missing: `git checkout {file}` brings it back") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[list[str]] = []
    try:
        check_header(next(reader, []), file=file)
        for row in reader:
            check_row(row, expressions, where=f"{file}, line {reader.line_num}")
            rows.append(row)
    except csv.Error as error:
        raise UserError(f"{file}, line {reader.line_num}: not CSV: {error}") from None
    return pd.DataFrame(rows, columns=list(RELABEL_COLUMNS), dtype=str)


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


def check_header(header: list[str], *, file: Path) -> None:
    """Checks the first line of a file of decisions.

    Raises:
        UserError: The columns are others, or git left a conflict there.
    """
    if is_conflict(header):
        raise UserError(f"{file}, line 1: {_CONFLICT}")
    if tuple(header) != RELABEL_COLUMNS:
        found = ", ".join(header)[:200]
        raise UserError(
            f"{file} has the columns {found if found.isprintable() else repr(found)}; "
            f"expected {', '.join(RELABEL_COLUMNS)}"
        )


def check_row(row: list[str], expressions: tuple[str, ...], *, where: str) -> None:
    """Checks one decision.

    Args:
        row: Its fields, in the order of `schema.RELABEL_COLUMNS`.
        expressions: The classes that a decision may name.
        where: What the message begins with.

    Raises:
        UserError: It has a fault: see `fault_of_row`.
    """
    fault = fault_of_row(row, expressions)
    if fault:
        raise UserError(f"{where}: {fault}")


def fault_of_row(row: list[str], expressions: tuple[str, ...]) -> str:
    """What is wrong with a decision, in words on one line; empty if nothing is.

    Args:
        row: Its fields, in the order of `schema.RELABEL_COLUMNS`.
        expressions: The classes that a decision may name.

    Returns:
        Whether its number of fields, its hash or its decision is not valid, a spreadsheet would take a
        field for a formula, or a field holds what cannot be printed.
    """
    if is_conflict(row):
        return _CONFLICT
    if len(row) != len(RELABEL_COLUMNS):
        return f"got {len(row)} fields, expected {len(RELABEL_COLUMNS)}"
    fields = dict(zip(RELABEL_COLUMNS, row, strict=True))
    pixel_hash, decision = fields[PIXEL_HASH], fields[DECISION]
    if not re.fullmatch("[0-9a-f]{64}", pixel_hash):
        return f"got the pixel hash {pixel_hash[:80]!r}, expected 64 hex digits"
    allowed = (*expressions, KEEP, DROP, UNDO)
    if decision not in allowed:
        return f"got the decision {decision[:80]!r}, expected one of {', '.join(allowed)}"
    for name in (GIVEN_LABEL, ANNOTATOR, DECIDED_AT, NOTE):
        fault = fault_of_text(fields[name])
        if fault:
            return f"the {name} {fault}"
    return ""


def fault_of_text(text: str) -> str:
    """Why a field cannot hold a text, in words that follow its name; empty if it can."""
    if text.startswith(_FORMULA_STARTS):
        return f"{text[:40]!r} would be a formula in a spreadsheet: begin it with a letter"
    if _UNPRINTABLE.search(text):
        return "holds a line break or a control character: write it on one line"
    return ""


_CONFLICT = "git left a merge conflict there: keep the lines of both sides, delete its marks"


def is_conflict(row: list[str]) -> bool:
    """Whether a row is a mark that git sets between two sides of a conflict."""
    return bool(row) and row[0].startswith(_CONFLICT_MARKS)
