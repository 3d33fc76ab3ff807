"""Appends decisions to `data/relabels.csv`, durably and one writer at a time."""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import pandas as pd

from fer_data.annotation.append_lines import locked
from fer_data.annotation.decision_log import check_row
from fer_data.annotation.decision_rows import normalised
from fer_data.core.schema import NOTE

_AT_ONCE = "[0-9]+ images at once"


@dataclass(frozen=True)
class Decision:
    """A person's decision on a face: a line of the file, its fields in the file's order."""

    pixel_hash: str
    """SHA-256 of the face's pixels, in hexadecimal: duplicates are decided together."""
    given_label: str
    """The label that the person saw."""
    decision: str
    """An expression, `keep`, `drop` or `undo`."""
    annotator: str
    """Who decided."""
    decided_at: str
    """When, as `now` gives it."""
    note: str = ""


def append_decisions(
    file: Path, decisions: Sequence[Decision], *, expressions: tuple[str, ...]
) -> None:
    """Appends decisions, all of them or none, and returns when they are on the disk.

    A second writer, in this process or another, waits.

    Args:
        file: The decisions made so far, see `schema.DECISION_COLUMNS`.
        decisions: What to append.
        expressions: The classes that a decision may name.

    Raises:
        UserError: The file is missing, or one of the decisions is not valid.
    """
    added = lines_of(decisions, expressions=expressions)
    with locked(file) as held:
        held.append(added)


def lines_of(decisions: Iterable[Decision], *, expressions: tuple[str, ...]) -> bytes:
    """Decisions as lines of the file.

    Raises:
        UserError: One of them is not valid.
    """
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    for decision in decisions:
        row = normalised(list(astuple(decision)))  # as it will be read, so that it can be
        check_row(row, expressions, where=f"decision on {decision.pixel_hash[:12]}")
        writer.writerow(row)
    return lines.getvalue().encode()


def at_once_note(num_images: int) -> str:
    """The note of a decision that was made on several images at once; empty for a single one.

    Args:
        num_images: How many, near-duplicates counted once, which are one question.
    """
    return f"{num_images} images at once" if num_images > 1 else ""


def were_made_at_once(decisions: pd.DataFrame) -> pd.Series:
    """Tells which decisions were made on several images at once: N booleans.

    Args:
        decisions: N rows with `note`; see `at_once_note`.
    """
    return decisions[NOTE].astype(str).str.fullmatch(_AT_ONCE).astype(bool)
