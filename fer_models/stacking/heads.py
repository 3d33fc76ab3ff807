"""Combiners of the members of an ensemble, fitted on faces that no member was trained on.

They are compared out of sample: each face is predicted by a combiner that was fitted on the faces of the
other folds (stacked generalization: Wolpert, 1992).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol, Self

import keras
import numpy as np
from sklearn.linear_model import LogisticRegression

from fer_models.calibration.temperature_scaling import fit_temperature, softmax
from fer_models.metrics.classification import SMALLEST_PROBABILITY

_MOST_ITERATIONS = 10_000
_TOLERANCE = 1e-8


class Combiner(Protocol):
    """Combines the probabilities of M members for K classes."""

    @classmethod
    def fit(cls, outputs: np.ndarray, labels: np.ndarray, *, l2: float) -> Self:
        """Fits the combiner to outputs, float (N, M, K), and labels, int (N,)."""
        ...

    def __call__(self, outputs: np.ndarray) -> np.ndarray:
        """Combines outputs (N, M, K) to probabilities, float64 (N, K)."""
        ...

    def layers(self, side_by_side: Any) -> Any:
        """Builds the same of built-in Keras layers, on a tensor (N, M K)."""
        ...


@dataclass(frozen=True)
class Mean:
    """The mean of the members' probabilities."""

    num_members: int

    @classmethod
    def fit(cls, outputs: np.ndarray, labels: np.ndarray, *, l2: float) -> Self:
        """Fits nothing: the mean has no parameters."""
        del labels, l2
        return cls(outputs.shape[1])

    def __call__(self, outputs: np.ndarray) -> np.ndarray:
        """Combines the members' probabilities."""
        return outputs.mean(axis=1, dtype=np.float64)

    def layers(self, side_by_side: Any) -> Any:
        """Builds the combiner of built-in Keras layers."""
        one_below_another = keras.layers.Reshape((self.num_members, -1))(side_by_side)
        return keras.layers.GlobalAveragePooling1D(name="probabilities")(one_below_another)


@dataclass(frozen=True)
class CalibratedMean:
    """The mean of the members' probabilities, each calibrated by a temperature of its own."""

    temperatures: tuple[float, ...]

    @classmethod
    def fit(cls, outputs: np.ndarray, labels: np.ndarray, *, l2: float) -> Self:
        """Fits each member's temperature."""
        del l2
        logits = _logits(outputs)
        return cls(
            tuple(fit_temperature(logits[:, place], labels) for place in range(logits.shape[1]))
        )

    def __call__(self, outputs: np.ndarray) -> np.ndarray:
        """Combines the members' probabilities."""
        logits = _logits(outputs)
        calibrated = [
            softmax(logits[:, place] / temperature)
            for place, temperature in enumerate(self.temperatures)
        ]
        return np.mean(calibrated, axis=0)

    def layers(self, side_by_side: Any) -> Any:
        """Builds the combiner of built-in Keras layers."""
        logits = keras.layers.Reshape((len(self.temperatures), -1))(_logits_of(side_by_side))
        scales = [[1 / temperature] for temperature in self.temperatures]
        calibrated = keras.layers.Softmax()(keras.layers.Rescaling(scales)(logits))
        return keras.layers.GlobalAveragePooling1D(name="probabilities")(calibrated)


@dataclass(frozen=True)
class Stacked:
    """A softmax regression on the members' logarithmic probabilities, fitted to convergence."""

    kernel: np.ndarray
    """float64 (M K, K)."""
    bias: np.ndarray
    """float64 (K,)."""

    @classmethod
    def fit(cls, outputs: np.ndarray, labels: np.ndarray, *, l2: float) -> Self:
        """Minimizes the summed loss (nats) plus half of `l2` times the squares of the kernel."""
        num_classes = outputs.shape[2]
        inputs = _logits(outputs).reshape(len(outputs), -1)
        kernel = np.zeros((inputs.shape[1], num_classes))
        # A class without a face is never predicted.
        bias = np.full(num_classes, np.log(SMALLEST_PROBABILITY))
        known = np.unique(labels)
        bias[known] = 0
        if len(known) > 1:
            regression = LogisticRegression(C=1 / l2, tol=_TOLERANCE, max_iter=_MOST_ITERATIONS)
            regression.fit(inputs, labels)
            weights, offsets = regression.coef_.T, regression.intercept_
            # Of two classes, scikit-learn fits a sigmoid of the difference of their logits: half of the
            # weights for the one, minus half for the other, give the same softmax.
            if len(known) == 2:
                weights, offsets = weights * [-0.5, 0.5], offsets * [-0.5, 0.5]
            kernel[:, known], bias[known] = weights, offsets
        return cls(kernel, bias)

    def __call__(self, outputs: np.ndarray) -> np.ndarray:
        """Combines the members' probabilities."""
        return softmax(_logits(outputs).reshape(len(outputs), -1) @ self.kernel + self.bias)

    def layers(self, side_by_side: Any) -> Any:
        """Builds the combiner of built-in Keras layers."""
        dense = keras.layers.Dense(len(self.bias), "softmax", dtype="float32", name="probabilities")
        probabilities = dense(_logits_of(side_by_side))
        dense.set_weights([self.kernel, self.bias])
        return probabilities


MEAN, CALIBRATED_MEAN, STACKED = "mean", "calibrated_mean", "stacked"

COMBINERS: Mapping[str, type[Combiner]] = MappingProxyType(
    {MEAN: Mean, CALIBRATED_MEAN: CalibratedMean, STACKED: Stacked}
)
"""The combiners by name."""


def folds_of(labels: np.ndarray, groups: np.ndarray, *, num_folds: int, seed: int) -> np.ndarray:
    """Draws folds, with about as many groups of each class in each.

    Args:
        labels: int (N,).
        groups: (N,); rows of one group, such as duplicates, share a fold.
        num_folds: How many folds, fewer if there are fewer groups.
        seed: Seed of the draw.

    Returns:
        int (N,), from 0 on.
    """
    distinct, first, group_of_row = np.unique(groups, return_index=True, return_inverse=True)
    drawn = np.random.default_rng(seed).permutation(len(distinct))
    # Sorted by class, shuffled within it, and dealt out like cards: folds share each class.
    order = np.lexsort((drawn, labels[first]))
    fold_of_group = np.empty(len(distinct), np.int64)
    fold_of_group[order] = np.arange(len(distinct)) % num_folds
    return fold_of_group[group_of_row]


def cross_fitted(
    way: type[Combiner], outputs: np.ndarray, labels: np.ndarray, *, folds: np.ndarray, l2: float
) -> np.ndarray:
    """Predicts each face by a combiner that was fitted on the faces of the other folds.

    Args:
        way: The combiner's class.
        outputs: float (N, M, K), of faces that no member was trained on.
        labels: int (N,).
        folds: int (N,), two or more.
        l2: Weight of the penalty, for combiners that have one.

    Returns:
        float32 (N, K).
    """
    predictions = np.empty((len(outputs), outputs.shape[2]), np.float32)
    for fold in np.unique(folds):
        inside = folds == fold
        predictions[inside] = way.fit(outputs[~inside], labels[~inside], l2=l2)(outputs[inside])
    return predictions


def _logits(outputs: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(outputs.astype(np.float64), SMALLEST_PROBABILITY))


def _logits_of(probabilities: Any) -> Any:
    return keras.ops.log(keras.ops.maximum(probabilities, SMALLEST_PROBABILITY))
