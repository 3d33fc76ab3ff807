"""Reads the decisions of people, `data/relabels.csv`: checked row by row, the last one wins."""

import csv
import io
import re
from pathlib import Path

import pandas as pd

from fer_data.schema import DECISION, DROP, KEEP, PIXEL_HASH, RELABEL_COLUMNS
from fer_data.stage import UserError


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
            _check_row(row, expressions, where=f"{file}, line {reader.line_num}")
            rows.append(row)
    except csv.Error as error:
        raise UserError(f"{file}, line {reader.line_num}: not CSV: {error}") from None
    return pd.DataFrame(rows, columns=list(RELABEL_COLUMNS), dtype=str)


def _check_row(row: list[str], expressions: tuple[str, ...], *, where: str) -> None:
    if len(row) != len(RELABEL_COLUMNS):
        raise UserError(f"{where}: got {len(row)} fields, expected {len(RELABEL_COLUMNS)}")
    fields = dict(zip(RELABEL_COLUMNS, row, strict=True))
    pixel_hash, decision = fields[PIXEL_HASH], fields[DECISION]
    if not re.fullmatch("[0-9a-f]{64}", pixel_hash):
        raise UserError(f"{where}: got the pixel hash '{pixel_hash}', expected 64 hex digits")
    allowed = (*expressions, KEEP, DROP)
    if decision not in allowed:
        raise UserError(
            f"{where}: got the decision '{decision}', expected one of {', '.join(allowed)}"
        )


def latest_decisions(relabels: pd.DataFrame) -> pd.DataFrame:
    """The last decision on each face, in the order of the file."""
    return relabels.drop_duplicates(PIXEL_HASH, keep="last")
