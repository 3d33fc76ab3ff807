"""Applies decisions: gives each face its final label and split.

Kept apart from `decision_log.py`, which checks what people wrote: `crossval` depends on this module, and
a better message there is no reason to train its networks again.
"""

import csv
import logging
from collections.abc import Collection, Mapping
from pathlib import Path

import pandas as pd

from fer_data.annotation.latest_decisions import latest_decisions
from fer_data.core.errors import UserError
from fer_data.core.schema import (
    DECISION,
    DECISION_COLUMNS,
    DROP,
    EXCLUDED,
    GIVEN_LABEL,
    KEEP,
    LABEL,
    PIXEL_HASH,
    SPLIT,
    TEST,
    UNDO,
)

logger = logging.getLogger(__name__)

NO_CLASS = (
    "list a class in `data.expressions`, or in `data.retired_expressions` if it is none any more"
)
"""What mends a decision that names no class."""


def read_accepted(file: Path, *, expressions: tuple[str, ...]) -> pd.DataFrame:
    """Reads decisions that were checked when they were accepted.

    Args:
        file: What `ferflow accept-decisions` wrote.
        expressions: The names that a decision may hold, retired ones too.

    Returns:
        As `decision_log.read_decisions`.

    Raises:
        UserError: The file is missing, or is not as it was accepted.
    """
    remedy = f"`git checkout {file}` brings back what was accepted"
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            header, *rows = csv.reader(lines, strict=True)
    except FileNotFoundError:
        raise UserError(f"{file} is missing: {remedy}") from None
    except (ValueError, csv.Error):
        raise UserError(f"{file} is no CSV in UTF-8: {remedy}") from None
    if tuple(header) != DECISION_COLUMNS or {len(row) for row in rows} - {len(header)}:
        raise UserError(f"{file} has other columns than {', '.join(DECISION_COLUMNS)}: {remedy}")
    accepted = pd.DataFrame(rows, columns=header, dtype=str)
    for column, allowed in (
        (accepted[DECISION], [*expressions, KEEP, DROP, UNDO]),
        (accepted.loc[accepted[DECISION] == KEEP, GIVEN_LABEL], list(expressions)),
    ):
        unknown = column[~column.isin(allowed)]
        if len(unknown):
            raise UserError(
                f"{file}: got the {str(column.name).replace('_', ' ')} {unknown.iloc[0][:80]!r}, "
                f"expected one of {', '.join(allowed)}: {NO_CLASS}, or {remedy}"
            )
    return accepted


def final_labels(decisions: pd.DataFrame) -> pd.Series:
    """The final label of each decision: an expression, or `drop`.

    `keep` means the given label that the person saw, whatever a copy or a later archive says.

    Args:
        decisions: N rows with `given_label` and `decision`, none of them an `undo`.

    Returns:
        N texts, with the same index.
    """
    return decisions[DECISION].mask(decisions[DECISION] == KEEP, decisions[GIVEN_LABEL])


def is_retired(decisions: pd.DataFrame, retired: Collection[str]) -> pd.Series:
    """Tells which decisions name a retired class, and so do not apply: N booleans.

    Args:
        decisions: N rows with `given_label` and `decision`.
        retired: `data.retired_expressions`.
    """
    return final_labels(decisions).isin(list(retired))


def retired_counts(decision_log: pd.DataFrame, retired: Collection[str]) -> dict[str, int]:
    """Counts the standing decisions that name each retired class, without zeros.

    Takes what `decisions_on` does.
    """
    decisions = latest_decisions(decision_log)
    names = final_labels(decisions[is_retired(decisions, retired)])
    return {str(name): int(number) for name, number in names.value_counts().sort_index().items()}


def decisions_on(
    faces: pd.DataFrame, decision_log: pd.DataFrame, *, file: Path, retired: Collection[str] = ()
) -> pd.DataFrame:
    """The decisions that stand on the given faces, and apply.

    Decisions that name a retired class are left aside, with a line in the log; decisions on other
    faces too, with a warning: the archive may have changed.

    Args:
        faces: The archive's faces: rows with `pixel_hash`.
        decision_log: As for `latest_decisions`.
        file: Where the decisions come from, for the log.
        retired: `data.retired_expressions`.

    Returns:
        As `latest_decisions`.
    """
    decisions = latest_decisions(decision_log)
    counts = retired_counts(decision_log, retired)
    if counts:
        logger.info(
            "%s: %d of %d decisions name a retired expression (%s): kept there, not applied",
            *(file, sum(counts.values()), len(decisions), in_counts(counts)),
        )
    decisions = decisions[~is_retired(decisions, retired)]
    return decisions[known_faces(decisions, faces, file=file)]


def in_counts(counts: Mapping[str, int]) -> str:
    """Counts as they are told: `3 contempt, 1 disgust`."""
    return ", ".join(f"{number} {name}" for name, number in counts.items())


def known_faces(decision_log: pd.DataFrame, faces: pd.DataFrame, *, file: Path) -> pd.Series:
    """Tells which decisions are on faces of the archive; a warning counts the others.

    Args:
        decision_log: N decisions: rows with `pixel_hash`.
        faces: The archive's faces: rows with `pixel_hash`.
        file: Where the decisions come from, for the log.

    Returns:
        N booleans.
    """
    known = decision_log[PIXEL_HASH].isin(faces[PIXEL_HASH])
    if not known.all():
        logger.warning(
            "warning: %s: %d of %d decisions are on faces that the archive does not hold, such as "
            "%s: left aside",
            *(file, (~known).sum(), len(known), decision_log.loc[~known, PIXEL_HASH].iloc[0]),
        )
    return known


def apply_decisions(faces: pd.DataFrame, decisions: pd.DataFrame) -> pd.DataFrame:
    """Applies decisions to faces and all their exact duplicates.

    Args:
        faces: N faces with `pixel_hash`, `label` and `split`.
        decisions: The decision that stands on each face: `pixel_hash`, `given_label`, `decision`.

    Returns:
        N rows with the final `label`, the split `excluded` where a face was dropped, and as `decision`
        what `final_labels` tells (NaN where nothing was decided). Faces of `test` are never changed.
    """
    final = pd.Series(final_labels(decisions).to_numpy(object), index=decisions[PIXEL_HASH])
    decided = faces[PIXEL_HASH].map(final)
    decided = decided.where(faces[SPLIT] != TEST)
    dropped = decided == DROP
    relabeled = decided.notna() & ~dropped
    return faces.assign(
        **{
            LABEL: faces[LABEL].mask(relabeled, decided),
            SPLIT: faces[SPLIT].mask(dropped, EXCLUDED),
            DECISION: decided,
        }
    )
