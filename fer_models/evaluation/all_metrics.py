"""Computes all metrics of a model on `validation` and `test`, as `metrics.json` holds them."""

from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np

from fer_data.core.schema import TEST, VALIDATION
from fer_models.calibration.conformal import conformal
from fer_models.calibration.reliability import calibration
from fer_models.evaluation.evaluate_settings import MetricSettings
from fer_models.evaluation.slices import accuracy_by_quarter, accuracy_of_part
from fer_models.metrics.bootstrap import bootstrap_intervals
from fer_models.metrics.classification import class_metrics, confusion_counts, headline_metrics
from fer_models.metrics.curves import average_precisions
from fer_models.metrics.prediction_table import Predictions


def split_metrics(
    labels: np.ndarray,
    probabilities: np.ndarray,
    *,
    expressions: tuple[str, ...],
    settings: MetricSettings,
) -> dict[str, Any]:
    """Computes the metrics of one split.

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
        partial(headline_metrics, labels, probabilities, num_bins=settings.calibration_bins),
        len(labels),
        num_resamples=settings.bootstrap_resamples,
        seed=settings.seed,
    )
    predictions = probabilities.argmax(axis=1)
    return {
        "faces": len(labels),
        **{name: asdict(interval) for name, interval in intervals.items()},
        "per_class": class_metrics(labels, probabilities, expressions=expressions),
        "confusion_matrix": confusion_counts(labels, predictions, len(expressions)).tolist(),
    }


def model_metrics(
    predictions: Mapping[str, Predictions],
    qualities: Mapping[str, np.ndarray],
    duplicated: np.ndarray,
    *,
    expressions: tuple[str, ...],
    settings: MetricSettings,
) -> dict[str, Any]:
    """Computes all metrics of a model.

    Args:
        predictions: The model's, for the faces of `validation` and of `test`.
        qualities: Qualities of the N faces of `test`, float (N,) each, by name.
        duplicated: bool (N,), whether each of these faces has a duplicate in Training, exact or near.
        expressions: The K classes, in the order of the columns.
        settings: Number of resamples and bins, and the seed.

    Returns:
        What `metrics.json` holds: for each split what `split_metrics` returns, with each class's
        `average_precision`; and what was chosen on
        `validation` and measured on `test`: `calibration` and `conformal`, as the functions of these
        names return them. Besides `without_duplicates`: accuracy on the faces of
        `test` that are not duplicated; and `slices`: accuracy on `test` by the qualities.
    """
    splits = {
        split: split_metrics(
            of_split.labels, of_split.probabilities, expressions=expressions, settings=settings
        )
        for split, of_split in predictions.items()
    }
    for split, of_split in predictions.items():
        for expression, average in average_precisions(of_split, expressions=expressions).items():
            splits[split]["per_class"][expression]["average_precision"] = average
    resamples = {"num_resamples": settings.bootstrap_resamples, "seed": settings.seed}
    return {
        **splits,
        "calibration": calibration(
            predictions[VALIDATION],
            predictions[TEST],
            num_bins=settings.calibration_bins,
            **resamples,
        ),
        "conformal": conformal(
            predictions[VALIDATION],
            predictions[TEST],
            expressions=expressions,
            coverage=settings.coverage,
            **resamples,
        ),
        "without_duplicates": accuracy_of_part(predictions[TEST].correct, ~duplicated, **resamples),
        "slices": accuracy_by_quarter(predictions[TEST].correct, qualities, **resamples),
    }
