"""Bootstrap confidence intervals of metrics."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

_COUNTS_AT_A_TIME = (
    2**19
)  # 4 MB of counts: small enough for the cache to matter, and for any machine


@dataclass(frozen=True)
class Interval:
    """A metric with the interval that it is likely in; all None where the metric is not defined."""

    value: float | None
    """The metric on the faces themselves."""
    low: float | None
    """The lower end, at most `value`."""
    high: float | None
    """The upper end, at least `value`."""


def bootstrap_intervals(
    metrics: Callable[[np.ndarray], dict[str, np.ndarray]],
    num_faces: int,
    *,
    num_resamples: int,
    seed: int,
    confidence: float = 0.95,
) -> dict[str, Interval]:
    """Computes percentile bootstrap intervals.

    The method: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.

    Faces are drawn with replacement, one by one: duplicates and near-duplicates count as
    independent, so the intervals are a little too narrow where a split has many. They
    tell how much the choice of faces matters, not how much another training seed would.

    Resamples of a metric that noise can only raise, such as the calibration error of a well calibrated
    model, can all lie above its value. The interval is then stretched to hold the value.

    Args:
        metrics: From counts, int64 (R, N), how often each resample holds each face, to the R metrics
            of each name; NaN where a resample gives none. Called several times.
        num_faces: N.
        num_resamples: How many resamples to draw.
        seed: Seed of the draws.
        confidence: The part of the resamples that an interval holds.

    Returns:
        The interval of each name, from the resamples in which the metric is defined.

    Raises:
        ValueError: There are no faces or no resamples, or `confidence` is not between 0 and 1.
    """
    if num_faces < 1 or num_resamples < 1:
        raise ValueError(
            f"got {num_faces} faces and {num_resamples} resamples, expected at least 1 of each"
        )
    if not 0 < confidence < 1:
        raise ValueError(f"got confidence {confidence}, expected a number between 0 and 1")
    values = metrics(np.ones((1, num_faces), np.int64))
    generator = np.random.default_rng(seed)
    chunks: list[dict[str, np.ndarray]] = []
    at_a_time = max(1, _COUNTS_AT_A_TIME // num_faces)
    for start in range(0, num_resamples, at_a_time):
        num_drawn = min(at_a_time, num_resamples - start)
        chunks.append(metrics(_draw_counts(generator, num_drawn, num_faces)))
    return {
        name: _interval(
            float(value[0]), np.concatenate([chunk[name] for chunk in chunks]), confidence
        )
        for name, value in values.items()
    }


def _draw_counts(generator: np.random.Generator, num_resamples: int, num_faces: int) -> np.ndarray:
    """Draws N of N faces with replacement, R times: how often each was drawn, int64 (R, N)."""
    counts = np.empty((num_resamples, num_faces), np.int64)
    for row in counts:
        row[:] = np.bincount(generator.integers(num_faces, size=num_faces), minlength=num_faces)
    return counts


def _interval(value: float, resampled: np.ndarray, confidence: float) -> Interval:
    """The quantiles of the resamples, stretched to hold the value itself."""
    if np.isnan(value):
        return Interval(None, None, None)
    resampled = resampled[~np.isnan(resampled)]
    tail = (1 - confidence) / 2
    low, high = np.quantile(resampled, [tail, 1 - tail]) if len(resampled) else (value, value)
    return Interval(value, min(value, float(low)), max(value, float(high)))
