"""The predictions of a model for the faces of one split, with the given labels."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Predictions:
    """A model's probabilities for N faces of K classes, and what follows from them."""

    labels: np.ndarray
    """int64 (N,), the given labels, 0 to K - 1."""
    probabilities: np.ndarray
    """float32 (N, K)."""

    @property
    def predicted_labels(self) -> np.ndarray:
        """int64 (N,): the most probable classes."""
        return self.probabilities.argmax(axis=1)

    @property
    def confidences(self) -> np.ndarray:
        """float32 (N,): the probabilities of the predicted labels."""
        return self.probabilities.max(axis=1)

    @property
    def correct(self) -> np.ndarray:
        """Whether the prediction is the label: bool (N,)."""
        return self.predicted_labels == self.labels

    @property
    def label_probabilities(self) -> np.ndarray:
        """float32 (N,): the probabilities of the given labels."""
        return self.probabilities[np.arange(len(self.labels)), self.labels]
