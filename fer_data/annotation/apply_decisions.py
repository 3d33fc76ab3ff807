"""Which decisions stand, and the final labels and splits that they give to faces.

Kept apart from `decision_log.py`, which checks what people wrote: `crossval` depends on this module, and
a better message there is no reason to train its networks anew.
"""

import csv
import logging
import math
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from fer_data.core.errors import UserError
from fer_data.core.schema import (
    ANNOTATOR,
    DECIDED_AT,
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
        file: What `ferflow relabels accept` wrote.
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


def latest_decisions(decision_log: pd.DataFrame) -> pd.DataFrame:
    """The decision on each face that stands: the last one that was not undone, see `still_standing`.

    Args:
        decision_log: Decisions, in any order: see `schema.DECISION_COLUMNS`. Time orders them, and lines
            where times are equal, so that merging two branches gives the same whichever comes first.

    Returns:
        One row a decided face, the latest last.
    """
    times = effective_times(decision_log[DECIDED_AT].to_numpy(object))
    order = sorted(range(len(times)), key=times.__getitem__)  # stable, so that lines break ties
    columns = [decision_log[name].to_numpy(object) for name in (PIXEL_HASH, DECISION, ANNOTATOR)]
    histories: dict[str, list[tuple[int, str, str]]] = {}
    for place in order:
        pixel_hash, decision, annotator = (column[place] for column in columns)
        histories.setdefault(pixel_hash, []).append((place, decision, annotator))
    standing = {still_standing(history) for history in histories.values()}
    return decision_log.iloc[[place for place in order if place in standing]]


def still_standing(history: Iterable[tuple[int, str, str]]) -> int | None:
    """Which of the decisions on one face stands, if any.

    Args:
        history: What names a decision, the decision and its annotator, the earliest first. An `undo`
            takes back its annotator's last decision on the face, and where it names nobody, the last
            one; so that the one before stands again. One that finds none changes nothing.
    """
    standing: list[tuple[int, str]] = []
    for place, decision, annotator in history:
        if decision != UNDO:
            standing.append((place, annotator))
            continue
        for number in reversed(range(len(standing))):
            if annotator in ("", standing[number][1]):
                del standing[number]
                break
    return standing[-1][0] if standing else None


def effective_times(texts: Iterable[str], *, since: float = -math.inf) -> list[float]:
    """When decisions count as made, in seconds since 1970.

    Args:
        texts: `decided_at` of each line. One without a time goes by its line: it counts as made right
            after the latest one above it.
        since: The latest time above the first of them.
    """
    times: list[float] = []
    for text in texts:
        moment = moment_of(text)
        times.append(since if moment is None else moment.timestamp())
        since = max(since, times[-1])
    return times


def moment_of(text: str) -> datetime | None:
    """A time in ISO 8601, in UTC; one without a time zone is taken for UTC. None if it is no time."""
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def final_labels(decisions: pd.DataFrame) -> pd.Series:
    """What each decision makes of its face: an expression, or `drop`.

    `keep` means the given label that the person saw, whatever a copy or a later archive says.

    Args:
        decisions: N rows with `given_label` and `decision`, none of them an `undo`.

    Returns:
        N texts, with the same index.
    """
    return decisions[DECISION].mask(decisions[DECISION] == KEEP, decisions[GIVEN_LABEL])


def is_retired(decisions: pd.DataFrame, retired: Collection[str]) -> pd.Series:
    """Which decisions, N booleans, name a class that is none any more, and so do not apply.

    Args:
        decisions: N rows with `given_label` and `decision`.
        retired: `data.retired_expressions`.
    """
    return final_labels(decisions).isin(list(retired))


def retired_counts(decision_log: pd.DataFrame, retired: Collection[str]) -> dict[str, int]:
    """How many of the decisions that stand name each retired class, those that none names left out.

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
    """Which decisions are on faces of the archive; the others are counted in a warning in the log.

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
    """Gives decided faces, and all their exact duplicates, the label or the fate that was decided.

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
    relabelled = decided.notna() & ~dropped
    return faces.assign(
        **{
            LABEL: faces[LABEL].mask(relabelled, decided),
            SPLIT: faces[SPLIT].mask(dropped, EXCLUDED),
            DECISION: decided,
        }
    )
