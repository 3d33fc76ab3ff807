"""What a model says of the faces of one split, beside the labels that they were given."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Answers:
    """A model's probabilities for N faces of K classes."""

    labels: np.ndarray
    """int64 (N,), the given ones, 0 to K - 1."""
    probabilities: np.ndarray
    """float32 (N, K)."""

    @property
    def predictions(self) -> np.ndarray:
        """int64 (N,): the most probable classes."""
        return self.probabilities.argmax(axis=1)

    @property
    def confidences(self) -> np.ndarray:
        """float32 (N,): the probabilities of the predictions."""
        return self.probabilities.max(axis=1)

    @property
    def correct(self) -> np.ndarray:
        """Whether the prediction is the label: bool (N,)."""
        return self.predictions == self.labels

    @property
    def of_labels(self) -> np.ndarray:
        """float32 (N,): the probabilities of the labels."""
        return self.probabilities[np.arange(len(self.labels)), self.labels]
