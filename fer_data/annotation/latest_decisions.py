"""Orders decisions by time, and finds the one on each face that stands."""

import math
from collections.abc import Iterable
from datetime import UTC, datetime

import pandas as pd

from fer_data.core.schema import ANNOTATOR, DECIDED_AT, DECISION, PIXEL_HASH, UNDO


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
    """Finds the decision on one face that stands, if any.

    Args:
        history: Number, decision and annotator of each decision, the earliest first. `undo` cancels the
            last standing decision of the same annotator, or of anyone if its annotator is empty; the
            decision before that one stands again. An `undo` without such a decision has no effect.
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
    """The effective times of decisions, in seconds since 1970.

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
