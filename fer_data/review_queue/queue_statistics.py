"""Statistics of the review queue: undecided faces by class and issue type."""

from collections import Counter
from typing import Any

import pandas as pd

from fer_data.core.schema import (
    ISSUE_TYPE,
    ISSUE_TYPES,
    LABEL,
    LABEL_QUALITY,
    PIXEL_HASH,
    RANK,
    SUGGESTED_LABEL,
)


def undecided(suspects: pd.DataFrame, decisions: pd.DataFrame) -> pd.DataFrame:
    """The undecided suspects, lowest label quality first.

    Args:
        suspects: Rows with `pixel_hash` and `rank`.
        decisions: Rows with `pixel_hash`.
    """
    return suspects.loc[~suspects[PIXEL_HASH].isin(decisions[PIXEL_HASH])].sort_values(RANK)


def suspected(ranked: pd.DataFrame, queue: pd.DataFrame) -> pd.DataFrame:
    """The faces at or above the last rank of the queue, decided or not.

    A decided face leaves the queue, so that its record is kept by rank: these are the faces that the
    queue holds, or would hold if they were undecided.

    Args:
        ranked: All ranked faces: rows with `rank`.
        queue: The faces that wait, likewise; where none waits, all ranked faces were in it.
    """
    return ranked[ranked[RANK] <= queue[RANK].max()] if len(queue) else ranked


def queue_by_class(
    label_quality: pd.DataFrame, queue: pd.DataFrame, *, expressions: tuple[str, ...]
) -> list[dict[str, Any]]:
    """Summarizes label quality and the queue by class.

    Args:
        label_quality: `label` and `label_quality` of each scored face.
        queue: `label`, `suggested_label` and `issue_type` of the faces that wait.
        expressions: The classes.

    Returns:
        For each class: the `expression`, how many faces were `scored`, their `median` quality (None
        where there are none), how many are `queued`, how many with each issue (`issue_types`), and
        how often each other expression is suggested, the most frequent first (`suggestions`).
    """
    rows: list[dict[str, Any]] = []
    for expression in expressions:
        scores = label_quality.loc[label_quality[LABEL] == expression, LABEL_QUALITY]
        waiting = queue[queue[LABEL] == expression]
        issue_types = Counter(waiting[ISSUE_TYPE])
        rows.append(
            {
                "expression": expression,
                "scored": len(scores),
                "median": float(scores.median()) if len(scores) else None,
                "queued": len(waiting),
                "issue_types": {issue_type: issue_types[issue_type] for issue_type in ISSUE_TYPES},
                "suggestions": dict(Counter(waiting[SUGGESTED_LABEL]).most_common()),
            }
        )
    return rows
