"""Ways to combine the members of an ensemble, held against its best member on the same faces."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from fer_models.calibration.temperature_scaling import fit_temperature
from fer_models.metrics.bootstrap import bootstrap_intervals
from fer_models.metrics.classification import SMALLEST_PROBABILITY, headlines

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
    """Measures the members and each way to combine them.

    Args:
        labels: int64 (N,), 0 to K - 1, of faces that no member learned from.
        members: What each member says of them: float32 (N, K).
        ways: What each way makes of that, fitted without the face that it answers: float32 (N, K).
        seed: Seed of the resamples.

    Returns:
        `faces`; `members` and `ways`: by name, `accuracy` and `loss` (nats), for members besides the
        `temperature` that was fitted on these faces, for ways the `gain`: how much more accurate than
        the best member, with the ends `low` and `high` of its 95 % paired bootstrap interval;
        `best_member` and `winner`, the most accurate member, and of all; the lower loss breaks ties;
        and `best_way`, that of the lowest loss.
    """
    temperatures = {
        name: fit_temperature(np.log(np.maximum(one, SMALLEST_PROBABILITY)), labels)
        for name, one in members.items()
    }
    said = {**members, **ways}
    measured = {name: _measures(labels, one) for name, one in said.items()}
    right = {name: (one.argmax(axis=1) == labels).astype(np.float64) for name, one in said.items()}
    best_member = max(members, key=lambda name: _rank(measured[name]))
    gains = bootstrap_intervals(
        # On the same faces: faces that both get right, or wrong, say nothing of the difference.
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


def _measures(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """Accuracy and loss, as `evaluate` measures them."""
    figures = headlines(labels, probabilities, np.ones((1, len(labels)), np.int64), num_bins=1)
    return {name: float(figures[name][0]) for name in ("accuracy", "loss")}


def _rank(measures: Mapping[str, float]) -> tuple[float, float]:
    return measures["accuracy"], -measures["loss"]
