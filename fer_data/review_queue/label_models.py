"""Models of how labels go wrong, which learn from decisions.

N faces, K classes; labels are class numbers from 0 to K - 1. Log-probabilities are crossed with the
given class, so that each class has its own confusions: among faces labeled `fear` those that look
surprised may be the wrong ones, among those labeled `angry` those that look sad.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

from fer_data.review_queue.decided_faces import NUM_FOLDS

STRENGTHS = (0.001, 0.01, 0.1)
"""Inverse regularization strengths, scikit-learn's `C`, whose models are averaged: which one is best
depends on the labels, and a hundred decisions, most of them on the queue, are too few to choose by."""
_SMALLEST = 1e-4
"""Of a probability; below it, networks differ by chance."""
_FREE = 10.0
"""The scale of label quality among the features: next to it, its coefficient is hardly regularized, so
that the most regularized model ranks as label quality does."""
_EASY = 3.0
"""The scale of log-probabilities that all given classes share: learned before the crossed ones are."""
_TOLERANCE = 1e-8
_MOST_ITERATIONS = 1000


@dataclass(frozen=True)
class Features:
    """What the models know of N faces."""

    quality: np.ndarray
    """float (N, 2): the log-odds of label quality, and whether the image is no face."""
    logs: np.ndarray
    """float (N, K): the log-probabilities."""
    crossed: np.ndarray
    """float (N, K + K * K): the given class, and the log-probabilities crossed with it."""

    @property
    def of_wrong(self) -> np.ndarray:
        """What tells whether a label is wrong, float (N, 2 + K + K * K)."""
        return np.hstack([_FREE * self.quality, self.crossed])

    @property
    def of_right(self) -> np.ndarray:
        """What tells which label is right, float (N, K + K + K * K)."""
        return np.hstack([_EASY * self.logs, self.crossed])


def features_of(
    labels: np.ndarray, probabilities: np.ndarray, quality: np.ndarray, no_face: np.ndarray
) -> Features:
    """Makes the features of N faces.

    Args:
        labels: int (N,), the given labels.
        probabilities: float (N, K), out of fold.
        quality: float (N,), label quality scores from 0 to 1.
        no_face: bool (N,), whether the image is no photograph of a face.
    """
    clipped = np.clip(quality.astype(np.float64), _SMALLEST, 1 - _SMALLEST)
    odds = np.log(clipped) - np.log1p(-clipped)
    logs = np.log(np.maximum(probabilities.astype(np.float64), _SMALLEST))
    given = np.eye(probabilities.shape[1])[labels]
    crossed = (given[:, :, np.newaxis] * logs[:, np.newaxis, :]).reshape(len(labels), -1)
    return Features(
        quality=np.column_stack([odds, no_face]), logs=logs, crossed=np.hstack([given, crossed])
    )


@dataclass(frozen=True)
class Average:
    """Logistic regressions of several strengths, whose probabilities are averaged."""

    models: tuple[Any, ...]

    @property
    def values(self) -> np.ndarray:
        """The L outcomes, in ascending order."""
        return self.models[0].classes_

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        """The probability of each outcome, float (N, L), for inputs, float (N, F)."""
        return np.mean([model.predict_proba(inputs) for model in self.models], axis=0)


def fit(
    inputs: np.ndarray, outcomes: np.ndarray, weights: np.ndarray, *, strengths: Sequence[float]
) -> Average:
    """Fits logistic regressions, with as many outcomes as there are.

    Newton's method goes on until nothing changes, so that the order of sums on a processor does not
    show in six digits.

    Args:
        inputs: float (N, F).
        outcomes: (N,), of two values or more.
        weights: float (N,), the importance of each face.
        strengths: scikit-learn's `C`, of one model each.
    """
    # Imported for a queue that learns alone: it takes a second.
    linear_model = import_module("sklearn.linear_model")
    models = [
        linear_model.LogisticRegression(
            C=strength, solver="newton-cholesky", tol=_TOLERANCE, max_iter=_MOST_ITERATIONS
        )
        for strength in strengths
    ]
    return Average(tuple(model.fit(inputs, outcomes, sample_weight=weights) for model in models))


def out_of_fold(
    inputs: np.ndarray,
    outcomes: np.ndarray,
    weights: np.ndarray,
    folds: np.ndarray,
    *,
    strengths: Sequence[float],
) -> np.ndarray:
    """Predicts each face by models that did not learn from its fold.

    Args:
        inputs: float (N, F).
        outcomes: int (N,), each value in every fold but one at least.
        weights: float (N,).
        folds: int (N,).
        strengths: Of the models that are averaged.

    Returns:
        float (N, L): the probabilities of the L values, in ascending order.
    """
    values = np.unique(outcomes)
    predicted = np.full((len(outcomes), len(values)), 1e-9)
    for fold in np.unique(folds):
        rest = folds != fold
        average = fit(inputs[rest], outcomes[rest], weights[rest], strengths=strengths)
        columns = np.searchsorted(values, average.values)
        predicted[np.ix_(~rest, columns)] = average.predict(inputs[~rest])
    return predicted


def log_loss(probabilities: np.ndarray, outcomes: np.ndarray, weights: np.ndarray) -> float:
    """The weighted mean of -log(probability of the outcome), in nats.

    Args:
        probabilities: float (N, L), of the L values that the outcomes have, in ascending order.
        outcomes: (N,).
        weights: float (N,).
    """
    places = np.searchsorted(np.unique(outcomes), outcomes)
    of_outcome = np.clip(probabilities[np.arange(len(outcomes)), places], 1e-9, 1)
    return float(np.average(-np.log(of_outcome), weights=weights))


def enough_of_both(wrong: np.ndarray) -> bool:
    """Whether wrong and right labels are there in every part that a model learns from."""
    return min(int(wrong.sum()), int((~wrong).sum())) >= 2 * NUM_FOLDS
