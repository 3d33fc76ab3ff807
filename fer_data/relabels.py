"""Reads the decisions of people, `data/relabels.csv`: checked row by row, the last one wins."""

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
        rows = pd.read_csv(file, dtype=str, keep_default_na=False, encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"{file} is missing: `git checkout {file}` brings it back") from None
    except UnicodeDecodeError:
        raise UserError(f"{file} is not UTF-8: save it as CSV in UTF-8") from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise UserError(f"{file} is not a CSV file: {' '.join(str(error).split())}") from None
    if tuple(rows.columns) != RELABEL_COLUMNS:
        raise UserError(
            f"{file} has the columns {', '.join(map(str, rows.columns))}; "
            f"expected {', '.join(RELABEL_COLUMNS)}"
        )
    allowed = (*expressions, KEEP, DROP)
    for line, (pixel_hash, decision) in enumerate(
        zip(rows[PIXEL_HASH], rows[DECISION], strict=True), start=2
    ):
        if len(pixel_hash) != 64 or not set(pixel_hash) <= set("0123456789abcdef"):
            raise UserError(
                f"{file}, line {line}: got the pixel hash '{pixel_hash}', expected 64 hex digits"
            )
        if decision not in allowed:
            raise UserError(
                f"{file}, line {line}: got the decision '{decision}', "
                f"expected one of {', '.join(allowed)}"
            )
    return rows


def latest_decisions(relabels: pd.DataFrame) -> pd.DataFrame:
    """The last decision on each face, in the order of the file."""
    return relabels.drop_duplicates(PIXEL_HASH, keep="last")
