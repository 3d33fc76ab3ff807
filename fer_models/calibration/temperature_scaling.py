"""Makes probabilities honest: logits and labels in, a temperature out."""

import numpy as np
from scipy.optimize import minimize_scalar


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """The temperature that makes probabilities honest (Guo et al., 2017, section 4.2).

    Args:
        logits: float (N, K), of faces that the network did not learn from; logarithms of probabilities
            are logits too.
        labels: int (N,), 0 to K - 1.

    Returns:
        What to divide logits by, 0.1 to 10, so that the labels' mean negative log-likelihood is
        smallest.
    """

    def loss(log_temperature: float) -> float:
        probabilities = softmax(logits / np.exp(log_temperature))
        return -np.log(np.maximum(probabilities[np.arange(len(labels)), labels], 1e-12)).mean()

    bounds = (np.log(0.1), np.log(10))
    return float(np.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x))


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities, float64 (N, K), of logits (N, K)."""
    weights = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)
