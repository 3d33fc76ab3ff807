"""Decision statistics: by annotator, by issue type, and the precision of the review queue.

Only decisions that stand count: not those undone, nor those that a later one replaced. The
data-quality report shows the numbers.
"""

import math
from collections import Counter
from dataclasses import dataclass

import pandas as pd

from fer_data.annotation.apply_decisions import is_retired
from fer_data.annotation.latest_decisions import latest_decisions
from fer_data.core.schema import (
    ANNOTATOR,
    DECIDED_AT,
    DECISION,
    DROP,
    GIVEN_LABEL,
    ISSUE_TYPE,
    ISSUE_TYPES,
    KEEP,
    LABEL,
    PIXEL_HASH,
    SUGGESTED_LABEL,
    UNDO,
)

NORMAL_QUANTILE = 1.959964
"""Of 97.5 %: what leaves 2.5 % on either side."""


@dataclass(frozen=True)
class Rate:
    """A rate from 0 to 1 with its 95 % interval; all None without a trial."""

    value: float | None
    low: float | None
    high: float | None


def wilson_rate(times: int, trials: int, *, quantile: float = NORMAL_QUANTILE) -> Rate:
    """A rate with Wilson's interval, of 95 % by default, which holds for few trials too.

    From E. B. Wilson, Probable Inference, the Law of Succession, and Statistical Inference (1927).

    Args:
        times: How often it was so, at most `trials`.
        trials: Out of how many.
        quantile: Of the normal distribution, for another interval.
    """
    if trials == 0:
        return Rate(None, None, None)
    value, square = times / trials, quantile**2
    middle = (value + square / (2 * trials)) / (1 + square / trials)
    spread = math.sqrt(value * (1 - value) / trials + square / (4 * trials**2))
    half = quantile * spread / (1 + square / trials)
    # Rounding could push the ends past what they may not pass.
    return Rate(value, min(value, max(0.0, middle - half)), max(value, min(1.0, middle + half)))


@dataclass(frozen=True)
class Tally:
    """Counts of decided faces by decision."""

    kept: int = 0
    """Faces whose given label is right: `keep`, or the given label itself."""
    relabeled: int = 0
    """Faces that got another expression."""
    dropped: int = 0
    """Faces that no expression fits."""
    as_suggested: int = 0
    """Relabeled faces that got the expression which the queue suggested."""

    @property
    def decided(self) -> int:
        """All of them."""
        return self.kept + self.relabeled + self.dropped

    @property
    def right(self) -> Rate:
        """The precision of the queue: the part of these faces that people relabeled or dropped."""
        return wilson_rate(self.relabeled + self.dropped, self.decided)

    @property
    def agreement(self) -> Rate:
        """How often a relabeled face got the suggested expression."""
        return wilson_rate(self.as_suggested, self.relabeled)


@dataclass(frozen=True)
class Annotator:
    """The decisions of one annotator."""

    name: str
    decisions: Tally
    """Of the faces whose standing decision is theirs."""
    undone: int
    """How often they took a decision back."""
    last_at: str
    """When they last decided or undid."""


@dataclass(frozen=True)
class DecisionSummary:
    """Statistics of all decisions."""

    total: Tally
    """Each decided face once, in the queue or not."""
    annotators: list[Annotator]
    """Who decided most comes first."""
    queued: Tally
    """The decided faces of the queue, with the label that the queue questions."""
    elsewhere: Tally
    """The others: of an earlier queue, or found by other means."""
    by_issue_type: dict[str, Tally]
    """Those of the queue, by issue."""
    by_label: dict[str, Tally]
    """Those of the queue, by given label."""
    moves: dict[str, dict[str, int]]
    """How many faces of each given label got which expression, `drop` last; a kept face, its own."""


def summarise_decisions(
    decision_log: pd.DataFrame,
    suspects: pd.DataFrame,
    *,
    expressions: tuple[str, ...],
    retired: tuple[str, ...] = (),
) -> DecisionSummary:
    """Summarizes the decisions and the record of the queue.

    Args:
        decision_log: All decisions in the order in which they were made: see `schema.DECISION_COLUMNS`.
        suspects: The faces that the review queue holds or held: `pixel_hash`, `label`,
            `suggested_label` and `issue_type`. A decision is compared with the copy of the face
            whose label the person saw.
        expressions: The classes, in the order of the summary.
        retired: Classes that are none any more: decisions that name one do not count.
    """
    decisions = latest_decisions(decision_log)
    decisions = decisions[~is_retired(decisions, retired)]
    queue = suspects[[PIXEL_HASH, LABEL, SUGGESTED_LABEL, ISSUE_TYPE]].rename(
        columns={LABEL: GIVEN_LABEL}
    )
    decided = decisions.merge(
        queue.drop_duplicates([PIXEL_HASH, GIVEN_LABEL]), "left", [PIXEL_HASH, GIVEN_LABEL]
    )
    is_queued = decided[ISSUE_TYPE].notna()
    queued = decided[is_queued]
    return DecisionSummary(
        total=_tally(decided),
        annotators=_annotators(decision_log, decided),
        queued=_tally(queued),
        elsewhere=_tally(decided[~is_queued]),
        by_issue_type={
            issue_type: _tally(queued[queued[ISSUE_TYPE] == issue_type])
            for issue_type in ISSUE_TYPES
        },
        by_label={name: _tally(queued[queued[GIVEN_LABEL] == name]) for name in expressions},
        moves=_moves(decided, expressions),
    )


def _tally(decided: pd.DataFrame) -> Tally:
    """Counts decisions, each with its suggestion where there is one."""
    decision = decided[DECISION]
    kept, dropped = _is_kept(decided), decision == DROP
    relabeled = ~kept & ~dropped
    return Tally(
        kept=int(kept.sum()),
        relabeled=int(relabeled.sum()),
        dropped=int(dropped.sum()),
        as_suggested=int((relabeled & (decision == decided[SUGGESTED_LABEL])).sum()),
    )


def _is_kept(decided: pd.DataFrame) -> pd.Series:
    return (decided[DECISION] == KEEP) | (decided[DECISION] == decided[GIVEN_LABEL])


def _annotators(decision_log: pd.DataFrame, decided: pd.DataFrame) -> list[Annotator]:
    everyone = [
        Annotator(
            name=str(name),
            decisions=_tally(decided[decided[ANNOTATOR] == name]),
            undone=int((lines[DECISION] == UNDO).sum()),
            last_at=lines[DECIDED_AT].max(),
        )
        for name, lines in decision_log.groupby(ANNOTATOR)
    ]
    return sorted(everyone, key=lambda person: (-person.decisions.decided, person.name))


def _moves(decided: pd.DataFrame, expressions: tuple[str, ...]) -> dict[str, dict[str, int]]:
    # What a person wrote by hand may be no class; such a row comes last, rather than get lost.
    others = sorted(set(decided[GIVEN_LABEL]) - set(expressions))
    final = decided[DECISION].mask(_is_kept(decided), decided[GIVEN_LABEL])
    pairs = Counter(zip(decided[GIVEN_LABEL], final, strict=True))
    return {
        given: {to: pairs[given, to] for to in (*expressions, *others, DROP)}
        for given in (*expressions, *others)
    }
