"""Label quality scores and issue types, from probabilities and duplicates.

All probabilities are out of sample: of networks that saw neither the face nor its duplicates. N faces, K
classes, labels are class numbers from 0 to K - 1.
"""

from importlib import import_module

import numpy as np
import pandas as pd

from fer_data.core.schema import AMBIGUOUS, NON_FACE, WRONG

ODDS = "odds"
"""Our own score, see `label_quality_scores`."""
MAX_DUPLICATES = 3
"""How many duplicates' labels count: copies of a copy add nothing."""


def with_duplicates(
    probabilities: np.ndarray,
    labels: np.ndarray,
    *,
    faces: np.ndarray,
    groups: np.ndarray,
    reliability: float,
) -> np.ndarray:
    """Updates the probabilities by the labels of duplicates and near-duplicates, by Bayes' rule.

    Somebody else labeled the same image: right with probability `reliability`, else any other class.
    Exact duplicates with the same label say nothing, since they were probably labeled once and copied.

    Args:
        probabilities: float (N, K), each row with the sum 1.
        labels: int (N,), the given labels.
        faces: (N,), equal for exact duplicates: `pixel_hash`.
        groups: int (N,), equal for near-duplicates too: `near_group`.
        reliability: Above 1 / K, below 1.

    Returns:
        float64 (N, K).
    """
    num_classes = probabilities.shape[1]
    # One vote for each label that a distinct image of the group got.
    votes_cast = pd.DataFrame({"group": groups, "face": faces, "label": labels})
    once = ~votes_cast.duplicated().to_numpy()
    places, codes = np.unique(groups, return_inverse=True)
    votes = np.zeros((len(places), num_classes))
    np.add.at(votes, (codes[once], labels[once]), 1)
    # Of each face's own group, without the vote of its own label.
    others = votes[codes]
    others[np.arange(len(labels)), labels] -= 1
    total = others.sum(axis=1, keepdims=True)
    # At most `MAX_DUPLICATES` votes in all, shared as they were given.
    others *= np.minimum(total, MAX_DUPLICATES) / np.maximum(total, 1)
    # Bayes: a vote for class k multiplies its odds by reliability / ((1 - reliability) / (K - 1)). The
    # largest exponent is subtracted first, so that nothing overflows.
    gain = np.log(reliability) - np.log((1 - reliability) / (num_classes - 1))
    return _normalised(probabilities * np.exp(gain * (others - others.max(axis=1, keepdims=True))))


def label_quality_scores(
    labels: np.ndarray, probabilities: np.ndarray, *, method: str
) -> np.ndarray:
    """Scores each label by the probabilities of its face.

    Args:
        labels: int (N,).
        probabilities: float64 (N, K), each row with the sum 1.
        method: `odds`: the label's probability over the sum of it and its strongest rival's, so that a
            clear other expression counts more than a face that could show anything; or a score of
            `cleanlab.rank.get_label_quality_scores` (Northcutt et al., 2021).

    Returns:
        float64 (N,), from 0 to 1: the lower, the more probably the label is wrong.
    """
    if method == ODDS:
        given = probabilities[np.arange(len(labels)), labels]
        return given / (given + _without(probabilities, labels).max(axis=1))
    # Imported for its own scores alone: it takes two seconds, and `odds` does without it.
    cleanlab = import_module("cleanlab.rank")
    return cleanlab.get_label_quality_scores(labels, probabilities, method=method)


def suggestions(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """The most probable other class of each face, int (N,)."""
    return _without(probabilities, labels).argmax(axis=1)


def issue_types_of(
    labels: np.ndarray, probabilities: np.ndarray, no_face: np.ndarray, *, clear_ratio: float
) -> np.ndarray:
    """Assigns each face an issue type: wrong label, ambiguous, or no face.

    Args:
        labels: int (N,).
        probabilities: float (N, K).
        no_face: bool (N,), whether the image is no photograph of a face.
        clear_ratio: How many times as probable as any other class, the given one included, the
            suggested one is where the label is called wrong; less, and the face is ambiguous.

    Returns:
        Objects (N,) out of `schema.ISSUE_TYPES`.
    """
    suggested = suggestions(labels, probabilities)
    # Clear: as probable as `clear_ratio` times the best of all others, the given label among them.
    best = probabilities[np.arange(len(labels)), suggested]
    clear = best >= clear_ratio * _without(probabilities, suggested).max(axis=1)
    return np.where(no_face, NON_FACE, np.where(clear, WRONG, AMBIGUOUS)).astype(object)


def _without(probabilities: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """A copy with -1 in place of one class of each face."""
    others = np.array(probabilities, dtype=np.float64)
    others[np.arange(len(classes)), classes] = -1
    return others


def _normalised(weights: np.ndarray) -> np.ndarray:
    return weights / weights.sum(axis=1, keepdims=True)
