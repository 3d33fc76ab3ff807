"""Joins the ranked faces with what people decided on them, as a model of wrong labels learns it."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from fer_data.annotation.apply_decisions import final_labels
from fer_data.core.schema import GIVEN_LABEL, LABEL, NEAR_GROUP, PATH, PIXEL_HASH, RANK
from fer_data.review_queue.audit import CLASS_FACES

NUM_FOLDS = 5
MAX_WEIGHT = 10.0
"""Of a decision. One on the audit stands for hundreds of undecided faces; past a few, what a weight
takes from the bias it adds to the variance."""
_FINAL = "final"


@dataclass(frozen=True)
class DecidedFaces:
    """N ranked faces on which people decided."""

    rows: np.ndarray
    """int (N,): their places among the ranked faces."""
    final: np.ndarray
    """Objects (N,): the final label of each, or `drop`."""
    wrong: np.ndarray
    """bool (N,): whether the given label is not the final one."""
    is_audit: np.ndarray
    """bool (N,): whether the audit drew it."""
    weights: np.ndarray
    """float (N,): the importance of each decision, from 1 on."""
    folds: np.ndarray
    """int (N,): the fold of each, equal for near-duplicates."""


def decided_faces(
    ranked: pd.DataFrame, decisions: pd.DataFrame, audit: pd.DataFrame
) -> DecidedFaces:
    """Joins faces and decisions.

    Args:
        ranked: Faces with `path`, `pixel_hash`, `label`, `rank` and `near_group`.
        decisions: The decisions that stand: rows with `pixel_hash`, `given_label` and `decision`.
        audit: As `audit.draw_audit` returns it.

    Returns:
        Each decided image once: the copy whose label the person saw, or else the first one by rank.
    """
    known = decisions.assign(**{_FINAL: final_labels(decisions)})
    known = known[[PIXEL_HASH, GIVEN_LABEL, _FINAL]]
    joined = ranked[[PATH, PIXEL_HASH, LABEL, RANK, NEAR_GROUP]].assign(row=np.arange(len(ranked)))
    joined = joined.merge(known, on=PIXEL_HASH)
    joined = joined.assign(other=joined[LABEL] != joined[GIVEN_LABEL])
    joined = joined.sort_values(["other", RANK]).drop_duplicates(PIXEL_HASH).sort_values("row")
    wrong = (joined[LABEL] != joined[_FINAL]).to_numpy(bool)
    is_audit = joined[PIXEL_HASH].isin(audit[PIXEL_HASH]).to_numpy(bool)
    return DecidedFaces(
        rows=joined["row"].to_numpy(int),
        final=joined[_FINAL].to_numpy(object),
        wrong=wrong,
        is_audit=is_audit,
        weights=_weights(joined[LABEL].to_numpy(object), is_audit, audit),
        folds=_folds(joined[NEAR_GROUP].to_numpy(), joined[PIXEL_HASH].to_numpy(object), wrong),
    )


def _weights(labels: np.ndarray, is_audit: np.ndarray, audit: pd.DataFrame) -> np.ndarray:
    """What each decision stands for: itself, or on the audit a part of the class's undecided faces."""
    sizes = audit.drop_duplicates(LABEL).set_index(LABEL)[CLASS_FACES]
    weights = np.ones(len(labels))
    for label, size in sizes.items():
        drawn = is_audit & (labels == label)
        others = (~is_audit & (labels == label)).sum()
        if drawn.any():
            weights[drawn] = np.clip((size - others) / drawn.sum(), 1, MAX_WEIGHT)
    return weights


def _folds(groups: np.ndarray, hashes: np.ndarray, wrong: np.ndarray) -> np.ndarray:
    """Folds with as many wrong labels each, by hashes: no random numbers, no near-duplicates apart."""
    faces = pd.DataFrame({"group": groups, "hash": hashes, "wrong": wrong})
    units = faces.groupby("group").agg({"hash": "min", "wrong": "max"})
    units = units.sort_values(["wrong", "hash"])
    places = pd.Series(np.arange(len(units)) % NUM_FOLDS, index=units.index)
    return faces["group"].map(places).to_numpy(int)
