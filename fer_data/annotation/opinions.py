"""Finds each annotator's own decision on a face that several annotators decided on."""

from collections.abc import Iterable

import pandas as pd

from fer_data.annotation.latest_decisions import effective_times, still_standing
from fer_data.core.schema import ANNOTATOR, DECIDED_AT, DECISION, PIXEL_HASH


def opinions(decision_log: pd.DataFrame) -> pd.DataFrame:
    """Each person's own decision on each face: their last one that was not undone.

    Args:
        decision_log: Decisions, in any order: see `latest_decisions`.

    Returns:
        Rows of the log, one for each face and annotator; lines that name no annotator are left out.
    """
    times = pd.Series(effective_times(decision_log[DECIDED_AT].to_numpy(object)), dtype=float)
    order = times.sort_values(kind="stable").index  # lines break ties
    columns = [decision_log[name].to_numpy(object) for name in (PIXEL_HASH, DECISION, ANNOTATOR)]
    histories: dict[str, list[tuple[int, str, str]]] = {}
    for place in order:
        pixel_hash, decision, annotator = (column[place] for column in columns)
        histories.setdefault(pixel_hash, []).append((place, decision, annotator))
    found = [opinions_on_face(history) for history in histories.values()]
    return decision_log.iloc[[place for one in found for name, place in one.items() if name]]


def opinions_on_face(history: Iterable[tuple[int, str, str]]) -> dict[str, int]:
    """Finds each person's own decision on one face.

    Args:
        history: Number, decision and annotator of each decision, as `still_standing` takes them.

    Returns:
        The number of the decision that is each annotator's last one and was not undone; the one that
        stands on the face comes first.
    """
    left = list(history)
    found: dict[str, int] = {}
    while (standing := still_standing(left)) is not None:
        for place, _, annotator in left:
            if place == standing:
                found.setdefault(annotator, place)
        # Without it the others stand as they did, since every `undo` found a later one to take back.
        left = [line for line in left if line[0] != standing]
    return found
