"""Compares ways to combine an ensemble's members with its best member, on the same faces."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from fer_models.calibration.temperature_scaling import fit_temperature
from fer_models.metrics.bootstrap import bootstrap_intervals
from fer_models.metrics.classification import SMALLEST_PROBABILITY, headline_metrics

HEAD = "head"
"""The paper's dense layer, trained on the members' predictions for `train`."""

_NUM_RESAMPLES = 1000


def combinations(
    labels: np.ndarray,
    members: Mapping[str, np.ndarray],
    ways: Mapping[str, np.ndarray],
    *,
    seed: int,
) -> dict[str, Any]:
    """Compares the members and the combiners by accuracy and loss.

    Args:
        labels: int64 (N,), 0 to K - 1, of faces that no member was trained on.
        members: The probabilities of each member: float32 (N, K).
        ways: Those of each combiner, out of sample: float32 (N, K).
        seed: Seed of the resamples.

    Returns:
        `faces`; `members` and `ways`: by name, `accuracy` and `loss` (nats), for members also the
        `temperature` that was fitted on these faces, for ways the `gain`: how much more accurate than
        the best member, with the ends `low` and `high` of its 95 % paired bootstrap interval;
        `best_member` and `winner`, the most accurate member, and of all; the lower loss breaks ties;
        and `best_way`, that of the lowest loss.
    """
    temperatures = {
        name: fit_temperature(np.log(np.maximum(one, SMALLEST_PROBABILITY)), labels)
        for name, one in members.items()
    }
    outputs = {**members, **ways}
    measured = {name: _accuracy_and_loss(labels, one) for name, one in outputs.items()}
    right = {
        name: (one.argmax(axis=1) == labels).astype(np.float64) for name, one in outputs.items()
    }
    best_member = max(members, key=lambda name: _rank(measured[name]))
    gains = bootstrap_intervals(
        # Paired: faces that both get right, or both wrong, cancel.
        lambda counts: {
            way: counts @ (right[way] - right[best_member]) / len(labels) for way in ways
        },
        len(labels),
        num_resamples=_NUM_RESAMPLES,
        seed=seed,
    )
    return {
        "faces": len(labels),
        "members": {
            name: {**measured[name], "temperature": temperatures[name]} for name in members
        },
        "ways": {way: {**measured[way], "gain": asdict(gains[way])} for way in ways},
        "best_member": best_member,
        "best_way": min(ways, key=lambda name: measured[name]["loss"]),
        "winner": max(measured, key=lambda name: _rank(measured[name])),
    }


def _accuracy_and_loss(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """Computes accuracy and loss as `evaluate` does."""
    metrics = headline_metrics(
        labels, probabilities, np.ones((1, len(labels)), np.int64), num_bins=1
    )
    return {name: float(metrics[name][0]) for name in ("accuracy", "loss")}


def _rank(metrics: Mapping[str, float]) -> tuple[float, float]:
    """Sorts by accuracy; the lower loss breaks ties."""
    return metrics["accuracy"], -metrics["loss"]
