"""Decisions that were checked in, the final labels and roles of faces out.

Kept apart from `relabels.py`, which checks what people wrote: `crossval` depends on this module, and a
better message there is no reason to train its networks anew.
"""

import csv
import logging
from pathlib import Path

import pandas as pd

from fer_data.schema import (
    DECISION,
    DROP,
    EXCLUDED,
    KEEP,
    LABEL,
    PIXEL_HASH,
    RELABEL_COLUMNS,
    ROLE,
    TEST,
    UNDO,
)
from fer_data.stage import UserError

logger = logging.getLogger(__name__)


def read_accepted(file: Path, *, expressions: tuple[str, ...]) -> pd.DataFrame:
    """Reads decisions that were checked when they were accepted.

    Args:
        file: What `ferflow relabels accept` wrote.
        expressions: The classes that a decision may name.

    Returns:
        As `relabels.read_relabels`.

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
    if tuple(header) != RELABEL_COLUMNS or {len(row) for row in rows} - {len(header)}:
        raise UserError(f"{file} has other columns than {', '.join(RELABEL_COLUMNS)}: {remedy}")
    accepted = pd.DataFrame(rows, columns=header, dtype=str)
    allowed = [*expressions, KEEP, DROP, UNDO]
    unknown = accepted.loc[~accepted[DECISION].isin(allowed), DECISION]
    if len(unknown):
        raise UserError(
            f"{file}: got the decision {str(unknown.iloc[0])[:80]!r}, expected one of "
            f"{', '.join(allowed)}: {remedy}"
        )
    return accepted


def latest_decisions(relabels: pd.DataFrame) -> pd.DataFrame:
    """The decision on each face that stands: the last one that was not undone.

    Args:
        relabels: Decisions in the order in which they were made: see `schema.RELABEL_COLUMNS`.

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


def decisions_on(faces: pd.DataFrame, relabels: pd.DataFrame, *, file: Path) -> pd.DataFrame:
    """The decisions that stand on the given faces.

    Decisions on other faces are left aside, with a warning in the log: the archive may have changed.

    Args:
        faces: The archive's faces: rows with `pixel_hash`.
        relabels: As for `latest_decisions`.
        file: Where the decisions come from, for the log.

    Returns:
        As `latest_decisions`.
    """
    decisions = latest_decisions(relabels)
    return decisions[known_faces(decisions, faces, file=file)]


def known_faces(relabels: pd.DataFrame, faces: pd.DataFrame, *, file: Path) -> pd.Series:
    """Which decisions are on faces of the archive; the others are counted in a warning in the log.

    Args:
        relabels: N decisions: rows with `pixel_hash`.
        faces: The archive's faces: rows with `pixel_hash`.
        file: Where the decisions come from, for the log.

    Returns:
        N booleans.
    """
    known = relabels[PIXEL_HASH].isin(faces[PIXEL_HASH])
    if not known.all():
        logger.warning(
            "warning: %s: %d of %d decisions are on faces that the archive does not hold, such as "
            "%s: left aside",
            *(file, (~known).sum(), len(known), relabels.loc[~known, PIXEL_HASH].iloc[0]),
        )
    return known


def apply_decisions(faces: pd.DataFrame, decisions: pd.DataFrame) -> pd.DataFrame:
    """Gives decided faces, and all their twins, the label or the fate that was decided.

    Args:
        faces: N faces with `pixel_hash`, `label` and `role`.
        decisions: The decision that stands on each face: `pixel_hash`, `decision`.

    Returns:
        N rows with the final `label`, the role `excluded` where a face was dropped, and what was
        decided as `decision` (NaN where nothing was). Faces of `test` are never changed.
    """
    decided = faces[PIXEL_HASH].map(decisions.set_index(PIXEL_HASH)[DECISION])
    decided = decided.where(faces[ROLE] != TEST)
    dropped = decided == DROP
    relabelled = decided.notna() & ~decided.isin([KEEP, DROP])
    return faces.assign(
        **{
            LABEL: faces[LABEL].mask(relabelled, decided),
            ROLE: faces[ROLE].mask(dropped, EXCLUDED),
            DECISION: decided,
        }
    )
