"""Estimates from the audit sample how many labels are wrong, and how good the queue is."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fer_data.annotation.apply_decisions import final_labels
from fer_data.annotation.decision_writer import were_made_at_once
from fer_data.annotation.statistics import NORMAL_QUANTILE, Rate, wilson_rate
from fer_data.core.schema import LABEL, LABEL_QUALITY, PATH, PIXEL_HASH
from fer_data.review_queue.audit import CLASS_FACES

MIN_COUNTED = 50
"""Decided faces of the audit, below which they tell too little of all labels."""
MIN_OF_CLASS = 5
"""Likewise, of each class that a total is made of."""
MIN_SHOWN = 10
"""Likewise, for a number of one class alone."""
MIN_DECIDED_PART = 0.95
"""Of a beginning of a list, decided, so that it is no selection."""
UNKNOWN_RATE = Rate(None, None, None)


@dataclass(frozen=True)
class ClassResult:
    """What the audit tells of one given class."""

    expression: str
    faces: int
    """How many there are, near-duplicates counted once."""
    counted: int
    """How many decided ones of the sample count."""
    wrong: int
    """How many of these were relabeled or dropped."""

    @property
    def rate(self) -> Rate:
        """The part of wrong labels, with Wilson's 95 % interval; unknown for few faces."""
        return wilson_rate(self.wrong, self.counted) if self.counted >= MIN_SHOWN else UNKNOWN_RATE


@dataclass(frozen=True)
class AuditResult:
    """What the audit tells of all labels."""

    sample: int
    """How many faces were drawn."""
    decided: int
    """How many of them were decided one at a time."""
    at_once: int
    """How many were decided together with other images, which does not count."""
    untouched: list[str]
    """The classes of which no face of the sample is decided one at a time."""
    classes: list[ClassResult]
    total: Rate
    """The part of wrong labels in the archive; unknown for few faces."""
    label_quality: Rate
    """AUROC of label quality for wrong labels; unknown for few."""
    ranking: Rate
    """AUROC of what the queue goes by, likewise."""

    @property
    def counted(self) -> int:
        """How many decided faces count."""
        return sum(one.counted for one in self.classes)

    @property
    def faces(self) -> int:
        """How many faces the sample stands for."""
        return sum(one.faces for one in self.classes)

    @property
    def num_wrong(self) -> int:
        """How many counted faces have a wrong label."""
        return sum(one.wrong for one in self.classes)


def audit_result(
    audit: pd.DataFrame,
    decisions: pd.DataFrame,
    label_quality: pd.DataFrame,
    ranking: pd.DataFrame,
    *,
    expressions: tuple[str, ...],
) -> AuditResult:
    """Estimates how many labels are wrong.

    Faces of the sample that the queue holds too may be decided earlier than the others, and more often
    wrong. So only the longest beginning of the sample counts of which nearly all is decided: see
    `decided_beginning`. What was decided on several images at once does not count.

    Args:
        audit: The sample: `path`, `pixel_hash`, `label` and `class_faces`, in the order drawn.
        decisions: The decisions that stand, one a face.
        label_quality: `path` and `label_quality` of each face.
        ranking: Likewise, by what the queue goes by.
        expressions: The classes.
    """
    at_once = were_made_at_once(decisions)
    alone = final_by_face(decisions[~at_once])
    final = audit[PIXEL_HASH].map(alone)
    counted = audit.assign(final=final).head(decided_beginning(final.notna().to_numpy()))
    counted = counted[counted["final"].notna()]
    counted = counted.assign(wrong=counted["final"] != counted[LABEL])
    sizes = audit.drop_duplicates(LABEL).set_index(LABEL)[CLASS_FACES]
    classes = [
        ClassResult(
            name,
            faces=int(sizes[name]),
            counted=int((counted[LABEL] == name).sum()),
            wrong=int(counted.loc[counted[LABEL] == name, "wrong"].sum()),
        )
        for name in expressions
        if name in sizes.index
    ]
    touched = set(audit.loc[final.notna(), LABEL])
    wrong = counted["wrong"].to_numpy(bool)
    of_class = counted.groupby(LABEL)[PATH].transform("size").to_numpy(float)
    weights = counted[CLASS_FACES].to_numpy(float) / of_class
    return AuditResult(
        sample=len(audit),
        decided=int(final.notna().sum()),
        at_once=int(audit[PIXEL_HASH].isin(decisions.loc[at_once, PIXEL_HASH]).sum()),
        untouched=[one.expression for one in classes if one.expression not in touched],
        classes=classes,
        total=_total(classes),
        label_quality=auroc(wrong, _scores(counted, label_quality), weights),
        ranking=auroc(wrong, _scores(counted, ranking), weights),
    )


def decided_beginning(is_decided: np.ndarray) -> int:
    """The length of the longest beginning of a list of which at least 95 % is decided, its end too.

    Whatever people chose to decide, such a beginning is what it would have been without their choice.

    Args:
        is_decided: bool (N,).
    """
    parts = np.cumsum(is_decided) / np.arange(1, len(is_decided) + 1)
    ends = np.flatnonzero((parts >= MIN_DECIDED_PART) & is_decided)
    return int(ends[-1]) + 1 if len(ends) else 0


def final_by_face(decisions: pd.DataFrame) -> dict[str, str]:
    """The final label of each decided face, or `drop`, by its pixel hash."""
    return dict(zip(decisions[PIXEL_HASH], final_labels(decisions), strict=True))


def stratified_rate(strata: Sequence[tuple[int, int, int]]) -> Rate:
    """A rate over strata of known sizes, with its 95 % interval.

    The stratified Wilson interval of X. Yan and X. G. Su, Stratified Wilson and Newcombe Confidence
    Intervals for Multiple Binomial Proportions (2010): Wilson's interval of each stratum at a quantile
    at which their weighted sum has the width of the whole. Each stratum's variance is taken at the
    middle of its Wilson interval, which is not 0 where no trial succeeded. The sizes serve as weights
    alone: drawing from finitely many makes the interval a little too wide, never too narrow.

    Args:
        strata: How often it was so, out of how many trials, in a stratum of how many; trials above 0.
    """
    total = sum(size for *_, size in strata)
    parts = [size / total for *_, size in strata]
    spreads: list[float] = []
    for times, trials, _ in strata:
        middle = (times + NORMAL_QUANTILE**2 / 2) / (trials + NORMAL_QUANTILE**2)
        spreads.append(math.sqrt(middle * (1 - middle) / trials))
    whole = math.sqrt(sum((part * one) ** 2 for part, one in zip(parts, spreads, strict=True)))
    apart = sum(part * one for part, one in zip(parts, spreads, strict=True))
    quantile = NORMAL_QUANTILE * whole / apart
    value = sum(
        part * times / trials for part, (times, trials, _) in zip(parts, strata, strict=True)
    )
    rates = [wilson_rate(times, trials, quantile=quantile) for times, trials, _ in strata]
    low = sum(part * (rate.low or 0.0) for part, rate in zip(parts, rates, strict=True))
    high = sum(part * (rate.high or 0.0) for part, rate in zip(parts, rates, strict=True))
    return Rate(value, low, high)


def auroc(wrong: np.ndarray, quality: np.ndarray, weights: np.ndarray) -> Rate:
    """AUROC of low quality for wrong labels, with its 95 % interval.

    How often a wrong label has a lower quality than a right one, each face weighted by how many it
    stands for. The interval is that of J. A. Hanley and B. J. McNeil, The Meaning and Use of the Area
    under a ROC Curve (1982), at the effective numbers of wrong and right labels (L. Kish, Survey
    Sampling, 1965).

    Args:
        wrong: bool (N,).
        quality: float (N,).
        weights: float (N,), above 0.

    Returns:
        The AUROC; unknown where there are too few wrong or right labels.
    """
    if min(wrong.sum(), (~wrong).sum()) < MIN_OF_CLASS:
        return UNKNOWN_RATE
    (bad, bad_weights), (good, good_weights) = (
        (quality[those], weights[those]) for those in (wrong, ~wrong)
    )
    above = (bad[:, np.newaxis] < good) + 0.5 * (bad[:, np.newaxis] == good)
    value = float(bad_weights @ above @ good_weights / (bad_weights.sum() * good_weights.sum()))
    num_bad, num_good = (w.sum() ** 2 / (w**2).sum() for w in (bad_weights, good_weights))
    of_two_bad, of_two_good = value / (2 - value), 2 * value**2 / (1 + value)
    variance = (
        value * (1 - value)
        + (num_bad - 1) * (of_two_bad - value**2)
        + (num_good - 1) * (of_two_good - value**2)
    ) / (num_bad * num_good)
    half = NORMAL_QUANTILE * math.sqrt(max(variance, 0.0))
    return Rate(value, max(0.0, value - half), min(1.0, value + half))


def _total(classes: list[ClassResult]) -> Rate:
    enough = all(one.counted >= min(MIN_OF_CLASS, one.faces) for one in classes)
    if not enough or sum(one.counted for one in classes) < MIN_COUNTED:
        return UNKNOWN_RATE
    return stratified_rate([(one.wrong, one.counted, one.faces) for one in classes])


def _scores(faces: pd.DataFrame, scored: pd.DataFrame) -> np.ndarray:
    """The label quality of some faces, float (N,)."""
    return faces[PATH].map(scored.set_index(PATH)[LABEL_QUALITY]).to_numpy(float)
