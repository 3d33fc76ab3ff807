"""Measures how well calibrated a model is, before and after temperature scaling."""

from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np

from fer_models.calibration.temperature_scaling import fit_temperature, softmax
from fer_models.metrics.bootstrap import bootstrap_intervals
from fer_models.metrics.classification import SMALLEST_PROBABILITY, headline_metrics
from fer_models.metrics.prediction_table import Predictions


def at_temperature(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Scales probabilities, float32 (N, K), by a temperature; above 1 they become less confident.

    The order of the classes stays, and with it every predicted label. Logarithms of probabilities are
    logits but for a constant of each face, which softmax ignores.
    """
    logits = np.log(np.maximum(probabilities, SMALLEST_PROBABILITY))
    return softmax(logits / temperature).astype(np.float32)


def calibration(
    chosen_on: Predictions,
    measured_on: Predictions,
    *,
    num_bins: int,
    num_resamples: int,
    seed: int,
) -> dict[str, Any]:
    """Fits a temperature on some faces, and measures its effect on others.

    Args:
        chosen_on: Predictions that the temperature is fitted on, for faces outside of the training set.
        measured_on: Predictions for other faces.
        num_bins: Bins of equal width of confidence.
        num_resamples: How many resamples give the intervals.
        seed: Seed of the resamples.

    Returns:
        `temperature`, by which to divide the logarithms of probabilities; `faces`, those that chose
        it; and of the other faces `before` and `after` it: `calibration_error` (Guo et al., 2017,
        section 2) and `loss` (nats) with the ends of their 95 % intervals, and the `bins` of
        `reliability_bins`.
    """
    logits = np.log(np.maximum(chosen_on.probabilities, SMALLEST_PROBABILITY))
    temperature = fit_temperature(logits, chosen_on.labels)
    scaled = Predictions(measured_on.labels, at_temperature(measured_on.probabilities, temperature))
    found: dict[str, Any] = {"temperature": temperature, "faces": len(chosen_on.labels)}
    for name, predictions in (("before", measured_on), ("after", scaled)):
        intervals = bootstrap_intervals(
            partial(_errors, predictions, num_bins), len(predictions.labels),
            num_resamples=num_resamples, seed=seed,
        )  # fmt: skip
        found[name] = {metric: asdict(interval) for metric, interval in intervals.items()}
        found[name]["bins"] = reliability_bins(predictions, num_bins=num_bins)
    return found


def reliability_bins(predictions: Predictions, *, num_bins: int) -> list[dict[str, float]]:
    """Computes the accuracy of predictions of about the same confidence (a reliability diagram).

    Returns:
        For each bin that holds faces, from low confidence to high: `faces`, their mean `confidence`
        and their `accuracy`, 0 to 1. Bin m of M holds confidences above (m - 1) / M, up to m / M.
    """
    confidences = predictions.confidences.astype(np.float64)
    bins = np.clip(np.ceil(confidences * num_bins).astype(np.int64) - 1, 0, num_bins - 1)
    return [
        {
            "faces": int((bins == number).sum()),
            "confidence": float(confidences[bins == number].mean()),
            "accuracy": float(predictions.correct[bins == number].mean()),
        }
        for number in np.unique(bins)
    ]


def _errors(predictions: Predictions, num_bins: int, counts: np.ndarray) -> dict[str, np.ndarray]:
    metrics = headline_metrics(
        predictions.labels, predictions.probabilities, counts, num_bins=num_bins
    )
    return {name: metrics[name] for name in ("calibration_error", "loss")}
