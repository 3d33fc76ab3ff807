"""Resolves conflicts between imported decisions and those that stand."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import astuple
from datetime import datetime
from typing import Any

import pandas as pd

from fer_data.annotation.apply_decisions import final_labels
from fer_data.annotation.decision_writer import Decision
from fer_data.annotation.latest_decisions import effective_times, latest_decisions
from fer_data.core.clock import to_utc
from fer_data.core.schema import ANNOTATOR, DECIDED_AT, DECISION, GIVEN_LABEL, PIXEL_HASH

FINAL = "final_label"
"""What a decision that stands makes of its face."""
TIME = "time"
"""When a decision that stands counts as made, in seconds since 1970."""

Made = Mapping[Hashable, Any]
"""A line of the file of decisions by its columns, with `FINAL` and `TIME`."""


def with_lines(decision_log: pd.DataFrame, decisions: Sequence[Decision]) -> pd.DataFrame:
    """The decisions made so far, and others at their end, numbered from 0."""
    lines = pd.DataFrame(map(astuple, decisions), columns=decision_log.columns, dtype=str)
    return pd.concat([decision_log, lines], ignore_index=True)


def standing_on(decision_log: pd.DataFrame) -> dict[str, Made]:
    """The decision that stands on each decided face."""
    times = pd.Series(
        effective_times(decision_log[DECIDED_AT]), index=decision_log.index, dtype=float
    )
    standing = latest_decisions(decision_log).assign(**{FINAL: final_labels})
    standing = standing.assign(**{TIME: times[standing.index]})
    return {row[PIXEL_HASH]: row for row in standing.to_dict("records")}


def take_back(
    undone: Sequence[tuple[Decision, Decision]], decision_log: pd.DataFrame
) -> tuple[list[Decision], list[str]]:
    """Finds the `undo`s of a file that take back a decision that stands here.

    Args:
        undone: Decisions of the file that it takes back, each with its `undo`, in order.
        decision_log: The decisions made so far.

    Returns:
        The `undo`s, in the order in which they take back, and what they do, in words.
    """
    taken: list[Decision] = []
    words: list[str] = []
    waiting = list(undone)
    while waiting:
        made = standing_on(with_lines(decision_log, taken))
        left: list[tuple[Decision, Decision]] = []
        for was, undo in waiting:
            if not _is_same(was, made.get(was.pixel_hash, {})):
                left.append((was, undo))
                continue
            del made[was.pixel_hash]  # so that a line that occurs twice is taken back once
            taken.append(undo)
            words.append(
                f"{was.pixel_hash[:12]}: {was.annotator} takes back '{was.decision}' of {was.decided_at}"
            )
        if len(left) == len(waiting):
            break
        waiting = left
    return taken, words


def _is_same(decision: Decision, made: Made) -> bool:
    """Whether what stands on the face is this very decision."""
    names = (GIVEN_LABEL, DECISION, ANNOTATOR)
    is_equal = all(made.get(name) == getattr(decision, name) for name in names)
    return is_equal and in_seconds(made[DECIDED_AT]) == decision.decided_at


def told(made: Made) -> str:
    """A decision that stands, in words; one without a time counts as made after the lines above it."""
    when = (
        f"at {made[DECIDED_AT]}" if made[DECIDED_AT] else "after what stands above it, with no time"
    )
    return f"{made[ANNOTATOR] or 'somebody'} decided '{made[DECISION]}' {when}"


def in_seconds(text: str) -> str:
    """A time as `clock.now` gives it, or nothing if the text is no time."""
    try:
        return to_utc(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        return ""
