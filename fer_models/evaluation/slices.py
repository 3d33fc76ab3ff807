"""Accuracy on slices of the test faces.

Slices are quarters by brightness, contrast, sharpness and label quality, and the faces without a
duplicate in Training.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from fer_data.core.errors import UserError
from fer_data.core.schema import LABEL_QUALITY, LEAK, PATH
from fer_data.core.tables import values_of
from fer_models.metrics.bootstrap import Interval, bootstrap_intervals

QUARTERS = 4


def image_qualities(faces: np.ndarray) -> dict[str, np.ndarray]:
    """Measures brightness, contrast and sharpness of images.

    Args:
        faces: uint8 (N, 48, 48, 1) or (N, 48, 48).

    Returns:
        float64 (N,) each: `brightness`, the mean of the pixels, in gray levels; `contrast`, their
        standard deviation, in gray levels; `sharpness`, the variance of the Laplacian (Pech-Pacheco et
        al., Diatom autofocusing in brightfield microscopy, 2000), low where an image is blurred.
    """
    pixels = faces.reshape(len(faces), *faces.shape[1:3]).astype(np.int16)
    middle = pixels[:, 1:-1, 1:-1]
    # The Laplacian: the four neighbors of each pixel less four times the pixel itself.
    laplacian = (
        pixels[:, :-2, 1:-1] + pixels[:, 2:, 1:-1] + pixels[:, 1:-1, :-2] + pixels[:, 1:-1, 2:]
        - 4 * middle
    )  # fmt: skip
    return {
        "brightness": pixels.mean(axis=(1, 2)),
        "contrast": pixels.std(axis=(1, 2)),
        "sharpness": laplacian.var(axis=(1, 2)),
    }


def label_qualities(rated: pd.DataFrame, paths: Sequence[str]) -> dict[str, np.ndarray]:
    """Looks up the label quality scores of test faces.

    Args:
        rated: `path` and `label_quality` of Testing faces, as the stage `mislabels` writes them.
        paths: N of these faces.

    Returns:
        `label_quality`, float64 (N,), 0 to 1: low where `crossval` predicts another expression.

    Raises:
        UserError: A face was not rated.
    """
    found = rated.set_index(PATH)[LABEL_QUALITY].reindex(list(paths))
    unrated = found.index[found.isna()]
    if len(unrated):
        raise UserError(
            f"{len(unrated)} of {len(found)} test faces have no {LABEL_QUALITY}, such as "
            f"{unrated[0]}: `dvc repro mislabels` rates them"
        )
    return {LABEL_QUALITY: found.to_numpy(np.float64)}


def has_duplicate(assignments: pd.DataFrame, paths: Sequence[str]) -> np.ndarray:
    """Marks the Testing faces with a duplicate in Training, exact or near, excluded or not.

    Args:
        assignments: `path` and `leak`, as the stage `split` writes them.
        paths: N Testing faces.

    Returns:
        bool (N,).

    Raises:
        UserError: A face was not split.
    """
    return (values_of(assignments, LEAK, paths) != "").to_numpy(bool)


def accuracy_of_part(
    correct: np.ndarray, inside: np.ndarray, *, num_resamples: int, seed: int
) -> dict[str, Any]:
    """Computes the accuracy on some of the faces, with its interval.

    Args:
        correct: bool (N,), whether a prediction is right.
        inside: bool (N,), which faces count.
        num_resamples: How many resamples give the interval.
        seed: Seed of the resamples.

    Returns:
        The number of `faces`, and `accuracy` with the ends of its 95 % interval; None without faces.
    """
    right = correct[inside].astype(np.float64)
    interval = Interval(None, None, None)
    if len(right):
        interval = bootstrap_intervals(
            lambda counts: {"accuracy": counts @ right / counts.sum(axis=1)},
            len(right),
            num_resamples=num_resamples,
            seed=seed,
        )["accuracy"]
    return {"faces": len(right), "accuracy": asdict(interval)}


def accuracy_by_quarter(
    correct: np.ndarray, qualities: Mapping[str, np.ndarray], *, num_resamples: int, seed: int
) -> dict[str, list[dict[str, Any]]]:
    """Computes the accuracy on quarters of the faces by each quality of an image or a label.

    Args:
        correct: bool (N,), whether a prediction is right.
        qualities: float (N,), by name.
        num_resamples: How many resamples give the intervals.
        seed: Seed of the resamples.

    Returns:
        For each quality, from its lowest quarter to its highest: `from` and `to`, the least and the
        greatest value of it, the number of `faces`, and `accuracy` with the ends of its 95 % interval.
        Faces of equal value stay together, so that quarters can be uneven; an empty one is left out.
    """
    quarters = {name: _quarters(values) for name, values in qualities.items()}
    members = {
        f"{name} {number}": quarter == number
        for name, quarter in quarters.items()
        for number in np.unique(quarter)
    }

    def accuracies(counts: np.ndarray) -> dict[str, np.ndarray]:
        # Of each resample: correct faces over faces of the quarter, NaN where it has none of them.
        weights = counts.astype(np.float64)
        found: dict[str, np.ndarray] = {}
        for key, inside in members.items():
            total = weights @ inside
            hits = weights @ (inside & correct)
            found[key] = np.divide(hits, total, np.full(len(total), np.nan), where=total > 0)
        return found

    intervals = bootstrap_intervals(
        accuracies, len(correct), num_resamples=num_resamples, seed=seed
    )
    return {
        name: [
            {
                "from": float(values[members[f"{name} {number}"]].min()),
                "to": float(values[members[f"{name} {number}"]].max()),
                "faces": int(members[f"{name} {number}"].sum()),
                "accuracy": asdict(intervals[f"{name} {number}"]),
            }
            for number in np.unique(quarters[name])
        ]
        for name, values in qualities.items()
    }


def _quarters(values: np.ndarray) -> np.ndarray:
    """The quarter that each value lies in, int64 (N,), 0 to 3."""
    ends = np.quantile(values, np.arange(1, QUARTERS) / QUARTERS)
    return np.searchsorted(ends, values, side="left")
