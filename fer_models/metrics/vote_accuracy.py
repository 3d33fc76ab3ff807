"""Accuracy on the Testing faces whose votes are clear: a second figure, by which nothing is chosen."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from fer_data.annotation.statistics import Rate, wilson_rate
from fer_data.core.schema import LABEL, PIXEL_HASH, PREDICTION, SPLIT, TEST


@dataclass(frozen=True)
class VoteAccuracy:
    """How often a model is right on the Testing faces whose votes are clear."""

    num_faces: int
    """Those faces."""
    by_votes: Rate
    """Where right is what a clear majority of the votes says."""
    by_given_labels: Rate
    """Where right is the given label, on the same faces."""


def vote_accuracy(predictions: pd.DataFrame, classes: Mapping[str, str]) -> VoteAccuracy:
    """Measures a model by votes, and by given labels on the same faces.

    Args:
        predictions: `pixel_hash`, `split`, `label` and `prediction` of each face; those of `test` count.
        classes: The class that a clear majority says, by pixel hash.
    """
    faces = predictions[(predictions[SPLIT] == TEST) & predictions[PIXEL_HASH].isin(list(classes))]
    by_votes = faces[PREDICTION] == faces[PIXEL_HASH].map(dict(classes))
    by_given_labels = faces[PREDICTION] == faces[LABEL]
    return VoteAccuracy(
        len(faces),
        wilson_rate(int(by_votes.sum()), len(faces)),
        wilson_rate(int(by_given_labels.sum()), len(faces)),
    )
