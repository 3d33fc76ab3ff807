"""All figures of a model: what it says of `validation` and `test` in, what `metrics.json` holds out."""

from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np

from fer_data.core.schema import TEST, VALIDATION
from fer_models.calibration.conformal import conformal
from fer_models.calibration.reliability import calibration
from fer_models.evaluation.evaluate_settings import MeasureSettings
from fer_models.evaluation.slices import accuracy_by_quarter, accuracy_of_part
from fer_models.metrics.bootstrap import bootstrap_intervals
from fer_models.metrics.classification import class_measures, confusion_counts, headlines
from fer_models.metrics.curves import average_precisions
from fer_models.metrics.prediction_table import Answers


def measure(
    labels: np.ndarray,
    probabilities: np.ndarray,
    *,
    expressions: tuple[str, ...],
    settings: MeasureSettings,
) -> dict[str, Any]:
    """All measures of one split.

    Args:
        labels: int64 (N,), 0 to K - 1.
        probabilities: float32 (N, K).
        expressions: The K classes, in the order of the columns.
        settings: Number of resamples and bins, and the seed.

    Returns:
        What `metrics.json` holds of a split: `faces`; for `accuracy`, `loss` (nats), `macro_f1`,
        `macro_auroc` and `calibration_error` the `value` with the ends `low` and `high` of its 95 %
        bootstrap interval; `per_class`; and `confusion_matrix`, counts, a row a label and a column a
        prediction. What is not defined is None.

    Raises:
        ValueError: The shapes do not fit, labels are not classes, or probabilities are not from 0 to 1.
    """
    intervals = bootstrap_intervals(
        partial(headlines, labels, probabilities, num_bins=settings.calibration_bins),
        len(labels),
        num_resamples=settings.bootstrap_resamples,
        seed=settings.seed,
    )
    predictions = probabilities.argmax(axis=1)
    return {
        "faces": len(labels),
        **{name: asdict(interval) for name, interval in intervals.items()},
        "per_class": class_measures(labels, probabilities, expressions=expressions),
        "confusion_matrix": confusion_counts(labels, predictions, len(expressions)).tolist(),
    }


def measure_all(
    answers: Mapping[str, Answers],
    qualities: Mapping[str, np.ndarray],
    duplicated: np.ndarray,
    *,
    expressions: tuple[str, ...],
    settings: MeasureSettings,
) -> dict[str, Any]:
    """All measures of a model.

    Args:
        answers: What it says of the faces of `validation` and of `test`.
        qualities: What the N faces of `test` are like, float (N,) each, by name.
        duplicated: bool (N,), which of these faces have a duplicate in Training, exact or near.
        expressions: The K classes, in the order of the columns.
        settings: Number of resamples and bins, and the seed.

    Returns:
        What `metrics.json` holds: for each split what `measure` returns, with each class's
        `average_precision`; and what was chosen on
        `validation` and measured on `test`: `calibration` and `conformal`, as the functions of these
        names return them. Besides `without_duplicates`: accuracy on the faces of
        `test` that are not duplicated; and `slices`: accuracy on `test` by the qualities.
    """
    splits = {
        split: measure(said.labels, said.probabilities, expressions=expressions, settings=settings)
        for split, said in answers.items()
    }
    for split, said in answers.items():
        for expression, average in average_precisions(said, expressions=expressions).items():
            splits[split]["per_class"][expression]["average_precision"] = average
    resamples = {"num_resamples": settings.bootstrap_resamples, "seed": settings.seed}
    return {
        **splits,
        "calibration": calibration(
            answers[VALIDATION], answers[TEST], num_bins=settings.calibration_bins, **resamples
        ),
        "conformal": conformal(
            answers[VALIDATION],
            answers[TEST],
            expressions=expressions,
            coverage=settings.coverage,
            **resamples,
        ),
        "without_duplicates": accuracy_of_part(answers[TEST].correct, ~duplicated, **resamples),
        "slices": accuracy_by_quarter(answers[TEST].correct, qualities, **resamples),
    }
