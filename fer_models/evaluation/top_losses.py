"""Selects the most confident mistakes of a model."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from fer_data.core.schema import FACE_SIZE, LABEL, PATH, PREDICTION
from fer_models.metrics.prediction_table import Predictions

CONFIDENCE = "confidence"
LABEL_PROBABILITY = "label_probability"
PIXELS = "pixels"
"""Columns of mistakes.parquet, beside `path`, `label` and `prediction`; pixels are bytes, row by row."""


def confident_mistakes(
    predictions: Predictions,
    *,
    paths: Sequence[str],
    faces: np.ndarray,
    expressions: tuple[str, ...],
    number: int,
) -> pd.DataFrame:
    """Selects the mistakes of the highest confidence.

    Args:
        predictions: The model's, for N faces.
        paths: The path of each in the archive.
        faces: uint8 (N, 48, 48, 1).
        expressions: The K classes, in the order of the columns.
        number: How many mistakes at most.

    Returns:
        The most confident first: `path`, `label`, `prediction`, `confidence` (the probability of the
        prediction), `label_probability` (that of the label) and the `pixels`, 48 x 48 bytes.
    """
    wrong = np.flatnonzero(~predictions.correct)
    chosen = wrong[np.argsort(-predictions.confidences[wrong], kind="stable")[:number]]
    names = np.array(expressions, dtype=object)
    return pd.DataFrame(
        {
            PATH: [paths[place] for place in chosen],
            LABEL: names[predictions.labels[chosen]],
            PREDICTION: names[predictions.predicted_labels[chosen]],
            CONFIDENCE: predictions.confidences[chosen],
            LABEL_PROBABILITY: predictions.label_probabilities[chosen],
            PIXELS: [faces[place].tobytes() for place in chosen],
        }
    )


def face_of(pixels: bytes) -> np.ndarray:
    """Decodes a face, uint8 (48, 48), from the bytes of the column `pixels`."""
    return np.frombuffer(pixels, np.uint8).reshape(FACE_SIZE, FACE_SIZE)
