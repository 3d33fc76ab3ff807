"""Temperature scaling: calibrates probabilities by one number (Guo et al., 2017)."""

import numpy as np
from scipy.optimize import minimize_scalar


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """Fits the temperature that calibrates probabilities best.

    The method: Guo et al., On Calibration of Modern Neural Networks (2017), section 4.2.

    Args:
        logits: float (N, K), of faces outside of the training set; logarithms of probabilities are
            logits, too.
        labels: int (N,), 0 to K - 1.

    Returns:
        The divisor of logits, 0.1 to 10, with the smallest mean negative log-likelihood of the labels.
    """

    def loss(log_temperature: float) -> float:
        probabilities = softmax(logits / np.exp(log_temperature))
        return -np.log(np.maximum(probabilities[np.arange(len(labels)), labels], 1e-12)).mean()

    # Searched by its logarithm: halving and doubling are steps of equal size.
    bounds = (np.log(0.1), np.log(10))
    return float(np.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x))


def softmax(logits: np.ndarray) -> np.ndarray:
    """Turns logits (N, K) into probabilities, float64 (N, K)."""
    # Less the largest logit, so that no exponential overflows.
    weights = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)
