"""Simulated out-of-fold probabilities of faces whose labels go wrong at random and systematically."""

import numpy as np
import pandas as pd

from fer_data.core.schema import (
    ISSUE_TYPE,
    LABEL,
    LABEL_QUALITY,
    NEAR_GROUP,
    PATH,
    PIXEL_HASH,
    RANK,
    SPLIT,
    SUGGESTED_LABEL,
    WRONG,
)
from fer_data.core.tables import with_probabilities
from fer_data.label_quality.scores import label_quality_scores, suggestions

CLASSES = ("angry", "fear", "happy", "neutral", "sad", "surprise")
TRUE_LABEL = "true_label"
CONFUSED = {("surprise", "fear"): 0.5, ("neutral", "sad"): 0.2}
"""How often a face of one class is labeled as another one, beside `AT_RANDOM`."""
AT_RANDOM = 0.05


def simulated_scores(
    num_faces: int,
    *,
    seed: int,
    confused: dict[tuple[str, str], float] = CONFUSED,
    clearness: float = 3.0,
) -> pd.DataFrame:
    """Faces as `mislabels` ranks them, with the stage's columns and their `true_label`.

    A network that learns from wrong labels learns the confusions too: it predicts the true class with
    some doubt, and then the label that such a face was often given. So the labels of a systematic
    confusion have a high quality.

    Args:
        num_faces: How many.
        seed: Of all that is drawn.
        confused: Which class is labeled as which, and how often.
        clearness: How far the true class stands out, in standard deviations of the logits.
    """
    generator = np.random.default_rng(seed)
    num_classes = len(CLASSES)
    noise = np.full((num_classes, num_classes), AT_RANDOM / (num_classes - 1))
    for (true, given), part in confused.items():
        noise[CLASSES.index(true), CLASSES.index(given)] = part
    np.fill_diagonal(noise, 0)
    np.fill_diagonal(noise, 1 - noise.sum(axis=1))
    truth = generator.integers(num_classes, size=num_faces)
    labels = np.array([generator.choice(num_classes, p=noise[one]) for one in truth])
    logits = (
        generator.normal(size=(num_faces, num_classes)) + clearness * np.eye(num_classes)[truth]
    )
    belief = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    probabilities = belief @ noise
    quality = label_quality_scores(labels, probabilities, method="odds")
    names = np.array(CLASSES, dtype=object)
    faces = pd.DataFrame(
        {
            PATH: [f"Training/{number:05}.png" for number in range(num_faces)],
            PIXEL_HASH: [generator.bytes(32).hex() for _ in range(num_faces)],
            LABEL: names[labels],
            SUGGESTED_LABEL: names[suggestions(labels, probabilities)],
            LABEL_QUALITY: quality,
            ISSUE_TYPE: WRONG,
            SPLIT: "train",
            NEAR_GROUP: np.arange(num_faces),
            TRUE_LABEL: names[truth],
        }
    )
    ranked = with_probabilities(faces, probabilities).sort_values([LABEL_QUALITY, PATH])
    return ranked.assign(**{RANK: np.arange(1, num_faces + 1)}).reset_index(drop=True)
