"""Learns from decisions which labels are wrong, and ranks the faces by it.

Nothing that is trained or evaluated depends on it: it says in which order people look at faces.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from fer_data.core.schema import (
    DROP,
    ISSUE_TYPE,
    LABEL,
    LABEL_QUALITY,
    NON_FACE,
    PATH,
    RANK,
    SUGGESTED_LABEL,
)
from fer_data.core.tables import probabilities_of
from fer_data.review_queue.decided_faces import DecidedFaces
from fer_data.review_queue.label_models import (
    STRENGTHS,
    Features,
    enough_of_both,
    features_of,
    fit,
    log_loss,
    out_of_fold,
)

WRONG_PROBABILITY = "wrong_probability"
"""How probably a label is wrong, calibrated on decisions; NaN where too few are there to tell."""
BY_QUALITY, LEARNED = "label quality", "decisions"
"""What the queue and the suggestions go by."""
_AUDIT_PART = 0.1
_STRENGTHS_OF_SUGGESTIONS = (0.03,)
_DIGITS = 6


@dataclass(frozen=True)
class Ranking:
    """How the queue ranks labels, and how well that was found to work."""

    ranked: pd.DataFrame
    """The faces, with `label_quality`, `rank` and `suggested_label` as learned, and
    `wrong_probability`."""
    summary: dict[str, Any]
    """What was learned from and how the ways compare, see `learn_ranking`."""


def learn_ranking(
    ranked: pd.DataFrame,
    decided: DecidedFaces,
    *,
    expressions: tuple[str, ...],
    min_decisions: int,
) -> Ranking:
    """Ranks faces by what decisions teach, where that is better than label quality.

    The probability that a label is wrong is the mean of logistic regressions, from strongly to weakly
    regularized, on label quality, the given class, and the log-probabilities crossed with it. It is
    compared with a regression on label quality alone: both predict each decided face from the faces of
    other folds. A decided face keeps that out-of-fold prediction, so that no decision counts on its own
    face.

    Args:
        ranked: N faces by rank, as `mislabels` writes them.
        decided: Those on which people decided.
        expressions: The classes, in the order of the probabilities.
        min_decisions: From how many decisions on anything is learned, a tenth of them on the audit; 0:
            never.

    Returns:
        The ranking; its summary holds `ranking` and `suggestions` (each `decisions` or `label
        quality`), `reason` where nothing was learned, the counts `decisions`, `audit_decisions` and
        `needed`, and where both ways were compared `log_loss`, and `hits` of suggestions, of each way.
    """
    summary: dict[str, Any] = {
        "ranking": BY_QUALITY,
        "suggestions": BY_QUALITY,
        "reason": _too_few(decided, min_decisions),
        "decisions": len(decided.rows),
        "audit_decisions": int(decided.is_audit.sum()),
        "needed": min_decisions,
    }
    unknown = ranked.assign(**{WRONG_PROBABILITY: np.nan})
    if summary["reason"]:
        return Ranking(unknown, summary)
    numbers = {name: number for number, name in enumerate(expressions)}
    features = features_of(
        ranked[LABEL].map(numbers).to_numpy(int),
        probabilities_of(ranked),
        ranked[LABEL_QUALITY].to_numpy(float),
        (ranked[ISSUE_TYPE] == NON_FACE).to_numpy(),
    )
    losses: dict[str, float] = {}
    chances: dict[str, np.ndarray] = {}
    ways: tuple[tuple[str, np.ndarray, Sequence[float]], ...] = (
        (BY_QUALITY, features.quality, (1.0,)),
        (LEARNED, features.of_wrong, STRENGTHS),
    )
    for way, inputs, strengths in ways:
        chances[way], losses[way] = _wrong_chances(inputs, decided, strengths)
    better = LEARNED if losses[LEARNED] < losses[BY_QUALITY] else BY_QUALITY
    found = unknown.assign(**{WRONG_PROBABILITY: chances[better]})
    if better == LEARNED:
        found = _by_chance(found)
    suggested, hits = _suggestions(ranked, features, decided)
    by_whom = LEARNED if hits[LEARNED] > hits[BY_QUALITY] else BY_QUALITY
    if by_whom == LEARNED:
        found = found.assign(**{SUGGESTED_LABEL: found[PATH].map(suggested)})
    summary |= {"ranking": better, "suggestions": by_whom, "log_loss": losses, "hits": hits}
    return Ranking(found, summary)


def in_words(summary: dict[str, Any]) -> str:
    """Describes in a line what the queue goes by, and why."""
    if summary["reason"]:
        return f"ranked by label quality ({summary['reason']})"
    losses = summary["log_loss"]
    return (
        f"ranked by {'what decisions teach' if summary['ranking'] == LEARNED else BY_QUALITY} (log loss "
        f"{losses[LEARNED]:.3f} learned, {losses[BY_QUALITY]:.3f} by label quality, of "
        f"{summary['decisions']} decisions); suggested by {summary['suggestions']}"
    )


def _too_few(decided: DecidedFaces, min_decisions: int) -> str:
    """Why nothing can be learned, in words; empty if there are decisions enough."""
    if not min_decisions:
        return "review_queue.min_decisions_to_learn is 0"
    number, drawn = len(decided.rows), int(decided.is_audit.sum())
    if number < min_decisions:
        return f"{number} decisions, {min_decisions} needed to learn from them"
    if drawn < _AUDIT_PART * min_decisions:
        needed = int(np.ceil(_AUDIT_PART * min_decisions))
        return f"{drawn} of {number} decisions on the audit, {needed} needed"
    if not enough_of_both(decided.wrong):
        return f"{int(decided.wrong.sum())} of {number} decided labels wrong: too few of one sort"
    return ""


def _wrong_chances(
    inputs: np.ndarray, decided: DecidedFaces, strengths: Sequence[float]
) -> tuple[np.ndarray, float]:
    """The probability that each label is wrong, float (N,), and the log loss out of fold."""
    those, outcomes = inputs[decided.rows], decided.wrong.astype(int)
    apart = out_of_fold(those, outcomes, decided.weights, decided.folds, strengths=strengths)
    average = fit(those, outcomes, decided.weights, strengths=strengths)
    chances = average.predict(inputs)[:, 1]
    chances[decided.rows] = apart[:, 1]
    loss = log_loss(apart, outcomes, decided.weights)
    return chances.round(_DIGITS), round(loss, _DIGITS)


def _by_chance(faces: pd.DataFrame) -> pd.DataFrame:
    """The faces ranked by the probability that their label is wrong."""
    quality = (1 - faces[WRONG_PROBABILITY]).round(_DIGITS)
    ordered = faces.assign(**{LABEL_QUALITY: quality}).sort_values([LABEL_QUALITY, PATH])
    return ordered.assign(**{RANK: np.arange(1, len(faces) + 1)}).reset_index(drop=True)


def _suggestions(
    ranked: pd.DataFrame,
    features: Features,
    decided: DecidedFaces,
) -> tuple[dict[str, str], dict[str, int]]:
    """The most probable other class of each face, by path, and how often each way was right."""
    labels = ranked[LABEL].to_numpy(object)
    has_label = decided.final != DROP
    rows, final = decided.rows[has_label], decided.final[has_label]
    relabeled = final != labels[rows]
    today = ranked[SUGGESTED_LABEL].to_numpy(object)
    hits = {BY_QUALITY: int((today[rows] == final)[relabeled].sum()), LEARNED: 0}
    values = np.unique(final.astype(str))
    if len(values) < 2:
        return {}, hits
    inputs, weights = features.of_right, np.ones(len(rows))
    folds = decided.folds[has_label]
    if any(len(np.unique(final[folds != fold])) < 2 for fold in np.unique(folds)):
        return {}, hits
    outcomes = np.searchsorted(values, final.astype(str))
    strengths = _STRENGTHS_OF_SUGGESTIONS
    apart = out_of_fold(inputs[rows], outcomes, weights, folds, strengths=strengths)
    out = _best_other(apart, values, labels[rows])
    hits[LEARNED] = int((out == final)[relabeled].sum())
    average = fit(inputs[rows], outcomes, weights, strengths=strengths)
    found = _best_other(average.predict(inputs), values, labels)
    found[rows] = out
    return dict(zip(ranked[PATH], found, strict=True)), hits


def _best_other(probabilities: np.ndarray, values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The most probable of the values that is not the given label, objects (N,)."""
    others = np.where(values[np.newaxis] == labels.astype(str)[:, np.newaxis], -1, probabilities)
    return values[others.argmax(axis=1)].astype(object)
