"""Conformal prediction sets: sets of expressions that hold the given label as often as promised.

Split conformal prediction, after Angelopoulos and Bates, Conformal Prediction: A Gentle Introduction
(2023), section 1, with the score of Sadinle, Lei and Wasserman (2019): 1 minus the probability of the
label. Of all such sets, these are the smallest on average if the probabilities are right.

What is guaranteed: where the faces that chose the threshold and a new face come from one distribution
and are exchangeable, the new face's set holds its given label with at least the promised probability.
It holds over both draws, on average over all faces: not for each class, and not for each face. Faces of
another camera, or of another mix of expressions, are not covered by it, nor are true expressions where
labels are wrong; and it is a little too good here, since `validation` may have chosen the epoch, too.
"""

import math
from dataclasses import asdict
from typing import Any

import numpy as np

from fer_models.metrics.bootstrap import bootstrap_intervals
from fer_models.metrics.prediction_table import Predictions


def set_threshold(predictions: Predictions, *, coverage: float) -> float:
    """Chooses the probability that a class needs to be in the set.

    Args:
        predictions: For N calibration faces, which the model was not trained on.
        coverage: How often sets are to hold the label, 0 to 1.

    Returns:
        The k-th largest probability of a label, k = (N + 1) times the coverage, rounded up; 0, so that
        sets hold all classes, where N is too small for the promise.
    """
    num_faces = len(predictions.labels)
    # The corrected quantile of split conformal prediction: (N + 1) and not N times the coverage, since a
    # new face is one more of the exchangeable faces. Rounded first: 0.9 * 30 is 27.000000000000004.
    rank = math.ceil(round((num_faces + 1) * coverage, 9))
    if rank > num_faces:
        return 0.0
    # Of N sorted label probabilities, `rank` are at least the one at N - rank.
    return float(np.sort(predictions.label_probabilities)[num_faces - rank])


def prediction_sets(probabilities: np.ndarray, threshold: float) -> np.ndarray:
    """Selects the classes of each face's set: bool (N, K); a set can be empty."""
    return probabilities >= threshold


def conformal(
    chosen_on: Predictions,
    measured_on: Predictions,
    *,
    expressions: tuple[str, ...],
    coverage: float,
    num_resamples: int,
    seed: int,
) -> dict[str, Any]:
    """Chooses the threshold on some faces, and measures the sets on others.

    Args:
        chosen_on: Predictions for calibration faces, which the model was not trained on.
        measured_on: Predictions for other faces.
        expressions: The K classes, in the order of the columns.
        coverage: How often sets are to hold the label, 0 to 1.
        num_resamples: How many resamples give the intervals.
        seed: Seed of the resamples.

    Returns:
        `promised`, the `threshold` and `faces`, those that chose it; of the other faces `coverage` and
        `mean_size` with the ends of their 95 % intervals; `sizes`, how many sets hold 0 to K classes;
        and `per_class`: for each given label, `coverage` and `mean_size`, None without faces.
    """
    threshold = set_threshold(chosen_on, coverage=coverage)
    sets = prediction_sets(measured_on.probabilities, threshold)
    num_faces, labels = len(sets), measured_on.labels
    sizes, covered = sets.sum(axis=1), sets[np.arange(num_faces), labels]
    intervals = bootstrap_intervals(
        lambda counts: {
            "coverage": counts @ covered / num_faces,
            "mean_size": counts @ sizes / num_faces,
        },
        num_faces, num_resamples=num_resamples, seed=seed,
    )  # fmt: skip
    return {
        "promised": coverage,
        "threshold": threshold,
        "faces": len(chosen_on.labels),
        **{name: asdict(interval) for name, interval in intervals.items()},
        "sizes": np.bincount(sizes, minlength=len(expressions) + 1).tolist(),
        "per_class": {
            expression: {
                "coverage": float(covered[labels == number].mean()),
                "mean_size": float(sizes[labels == number].mean()),
            }
            if (labels == number).any()
            else {"coverage": None, "mean_size": None}
            for number, expression in enumerate(expressions)
        },
    }
