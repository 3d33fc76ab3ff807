"""The faces about which a model is surest and wrong: what people should look at first."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from fer_data.core.schema import FACE_SIZE, LABEL, PATH, PREDICTION
from fer_models.metrics.prediction_table import Answers

CONFIDENCE = "confidence"
LABEL_PROBABILITY = "label_probability"
PIXELS = "pixels"
"""Columns of mistakes.parquet, beside `path`, `label` and `prediction`; pixels are bytes, row by row."""


def confident_mistakes(
    answers: Answers,
    *,
    paths: Sequence[str],
    faces: np.ndarray,
    expressions: tuple[str, ...],
    number: int,
) -> pd.DataFrame:
    """The mistakes with the most confidence.

    Args:
        answers: What the model says of N faces.
        paths: Where each lies in the archive.
        faces: uint8 (N, 48, 48, 1).
        expressions: The K classes, in the order of the columns.
        number: How many mistakes at most.

    Returns:
        The most confident first: `path`, `label`, `prediction`, `confidence` (the probability of the
        prediction), `label_probability` (that of the label) and the `pixels`, 48 x 48 bytes.
    """
    wrong = np.flatnonzero(~answers.correct)
    chosen = wrong[np.argsort(-answers.confidences[wrong], kind="stable")[:number]]
    names = np.array(expressions, dtype=object)
    return pd.DataFrame(
        {
            PATH: [paths[place] for place in chosen],
            LABEL: names[answers.labels[chosen]],
            PREDICTION: names[answers.predictions[chosen]],
            CONFIDENCE: answers.confidences[chosen],
            LABEL_PROBABILITY: answers.of_labels[chosen],
            PIXELS: [faces[place].tobytes() for place in chosen],
        }
    )


def face_of(pixels: bytes) -> np.ndarray:
    """A face, uint8 (48, 48), from the bytes of the column `pixels`."""
    return np.frombuffer(pixels, np.uint8).reshape(FACE_SIZE, FACE_SIZE)
