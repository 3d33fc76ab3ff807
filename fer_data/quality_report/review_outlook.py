"""Measures what the queue found at its top, and estimates what a further hour of review would find."""

from dataclasses import dataclass

import pandas as pd

from fer_data.annotation.decision_writer import were_made_at_once
from fer_data.annotation.latest_decisions import moment_of
from fer_data.annotation.statistics import Rate, wilson_rate
from fer_data.core.schema import (
    ANNOTATOR,
    DECIDED_AT,
    DECISION,
    EXCLUDED,
    LABEL,
    PATH,
    PIXEL_HASH,
    RANK,
    SPLIT,
    UNDO,
)
from fer_data.quality_report.audit_results import decided_beginning, final_by_face
from fer_data.review_queue.learned_ranking import WRONG_PROBABILITY

ASSUMED_PACE = 12.0
"""Faces a minute, where the decisions do not tell: five seconds a face."""
LONGEST_SECONDS = 300.0
"""A longer time between two decisions is a break, which does not count."""
MIN_INTERVALS = 20
MIN_PLACES = 30
"""Of the queue's beginning, below which its precision says little."""


@dataclass(frozen=True)
class Outlook:
    """How the queue did, and what waits in it."""

    places: int
    """The length of the decided beginning of all faces by label quality; 0 if it is short."""
    precision: Rate
    """The part of these places with a wrong label."""
    pace: float
    """Faces a minute that one person decides."""
    is_measured: bool
    """Whether the decisions tell the pace; else it is assumed."""
    next_places: int
    """How many undecided faces the queue has for an hour."""
    expected: float | None
    """How many wrong labels are expected among them; None if nothing tells."""


def outlook_of(
    decision_log: pd.DataFrame,
    decisions: pd.DataFrame,
    label_quality: pd.DataFrame,
    ranking: pd.DataFrame,
    assignments: pd.DataFrame,
) -> Outlook:
    """Looks back at the queue's first places, and ahead at its next ones.

    Args:
        decision_log: All decisions.
        decisions: Those that stand, one a face.
        label_quality: The faces by label quality: `path`, `pixel_hash`, `label` and `rank`.
        ranking: The faces by what the queue goes by: likewise, and `wrong_probability`.
        assignments: `path` and `split`; excluded faces never wait.
    """
    excluded = assignments.loc[assignments[SPLIT] == EXCLUDED, PATH]

    def in_order(faces: pd.DataFrame) -> pd.DataFrame:
        open_to_review = faces[~faces[PATH].isin(excluded)]
        return open_to_review.sort_values(RANK).drop_duplicates(PIXEL_HASH)

    first = in_order(label_quality)
    final = first[PIXEL_HASH].map(final_by_face(decisions))
    places = decided_beginning(final.notna().to_numpy())
    places = places if places >= MIN_PLACES else 0
    shown, labels = final.iloc[:places], first[LABEL].iloc[:places]
    wrong = shown.notna() & (shown != labels)
    pace = pace_of(decision_log)
    waiting = in_order(ranking)
    waiting = waiting[~waiting[PIXEL_HASH].isin(decisions[PIXEL_HASH])]
    waiting = waiting.head(round(60 * (pace or ASSUMED_PACE)))
    is_known = len(waiting) > 0 and bool(waiting[WRONG_PROBABILITY].notna().all())
    return Outlook(
        places=places,
        precision=wilson_rate(int(wrong.sum()), int(shown.notna().sum())),
        pace=pace or ASSUMED_PACE,
        is_measured=pace is not None,
        next_places=len(waiting),
        expected=float(waiting[WRONG_PROBABILITY].sum()) if is_known else None,
    )


def pace_of(decision_log: pd.DataFrame) -> float | None:
    """How many faces a person decides in a minute, breaks left out; None if too little tells.

    Each person's decisions follow each other; near-duplicates that one key decides have the same time,
    and so count once. Decisions on several images at once do not count.

    Args:
        decision_log: All decisions.
    """
    lines = decision_log[(decision_log[DECISION] != UNDO) & ~were_made_at_once(decision_log)]
    intervals: list[float] = []
    for _, own in lines.groupby(ANNOTATOR):
        moments = {moment for text in own[DECIDED_AT] if (moment := moment_of(text)) is not None}
        times = pd.Series(sorted(moment.timestamp() for moment in moments), dtype=float)
        between = times.diff().dropna()
        intervals += list(between[between <= LONGEST_SECONDS])
    if len(intervals) < MIN_INTERVALS:
        return None
    return 60 * len(intervals) / sum(intervals)
