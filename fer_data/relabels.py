"""Reads the decisions of people, `data/relabels.csv`: checked row by row, the last one wins."""

import csv
import io
import re
from pathlib import Path

import pandas as pd

from fer_data.schema import (
    ANNOTATOR,
    DECISION,
    DROP,
    KEEP,
    NOTE,
    PIXEL_HASH,
    RELABEL_COLUMNS,
    UNDO,
)
from fer_data.stage import UserError

_FORMULA_STARTS = ("=", "+", "-", "@", "\t")
"""What makes a spreadsheet take a field for a formula (OWASP, CSV injection)."""


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
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"{file} is missing: `git checkout {file}` brings it back") from None
    except UnicodeDecodeError:
        raise UserError(f"{file} is not UTF-8: save it as CSV in UTF-8") from None
    reader = csv.reader(io.StringIO(text), strict=True)
    rows: list[list[str]] = []
    try:
        header = next(reader, [])
        if tuple(header) != RELABEL_COLUMNS:
            raise UserError(
                f"{file} has the columns {', '.join(header)}; expected {', '.join(RELABEL_COLUMNS)}"
            )
        for row in reader:
            check_row(row, expressions, where=f"{file}, line {reader.line_num}")
            rows.append(row)
    except csv.Error as error:
        raise UserError(f"{file}, line {reader.line_num}: not CSV: {error}") from None
    return pd.DataFrame(rows, columns=list(RELABEL_COLUMNS), dtype=str)


def check_row(row: list[str], expressions: tuple[str, ...], *, where: str) -> None:
    """Checks one decision.

    Args:
        row: Its fields, in the order of `schema.RELABEL_COLUMNS`.
        expressions: The classes that a decision may name.
        where: What the message begins with.

    Raises:
        UserError: Its number of fields, its hash or its decision is not valid, or a spreadsheet would
            take a field for a formula.
    """
    if len(row) != len(RELABEL_COLUMNS):
        raise UserError(f"{where}: got {len(row)} fields, expected {len(RELABEL_COLUMNS)}")
    fields = dict(zip(RELABEL_COLUMNS, row, strict=True))
    pixel_hash, decision = fields[PIXEL_HASH], fields[DECISION]
    if not re.fullmatch("[0-9a-f]{64}", pixel_hash):
        raise UserError(f"{where}: got the pixel hash '{pixel_hash}', expected 64 hex digits")
    allowed = (*expressions, KEEP, DROP, UNDO)
    if decision not in allowed:
        raise UserError(
            f"{where}: got the decision '{decision}', expected one of {', '.join(allowed)}"
        )
    for name in (ANNOTATOR, NOTE):
        if fields[name].startswith(_FORMULA_STARTS):
            raise UserError(
                f"{where}: the {name} '{fields[name][:40]}' would be a formula in a spreadsheet: "
                "begin it with a letter"
            )
        if any(character in fields[name] for character in "\r\n\0"):
            raise UserError(f"{where}: the {name} holds a line break: write it on one line")


def latest_decisions(relabels: pd.DataFrame) -> pd.DataFrame:
    """The decision on each face that stands: the last one that was not undone.

    Args:
        relabels: As `read_relabels` returns it.

    Returns:
        One row a decided face, in the order of the file. An `undo` takes back the last decision on
        its face, so that the one before stands again; one that finds none changes nothing.
    """
    standing: dict[str, list[int]] = {}
    for place, (pixel_hash, decision) in enumerate(
        zip(relabels[PIXEL_HASH], relabels[DECISION], strict=True)
    ):
        places = standing.setdefault(pixel_hash, [])
        if decision != UNDO:
            places.append(place)
        elif places:
            places.pop()
    return relabels.iloc[sorted(places[-1] for places in standing.values() if places)]
