"""Finds each face's nearest neighbors in a network's feature space, by cosine similarity."""

import numpy as np

NUM_NEIGHBORS = 8
"""How many neighbors people are shown."""

_BLOCK = 1_024


def nearest(
    features: np.ndarray, *, queries: np.ndarray, candidates: np.ndarray, number: int
) -> np.ndarray:
    """Finds the nearest candidates of each query, by the cosine of centered features.

    Features are centered on the candidates' mean first: networks with ReLUs give positive features,
    whose angles hardly differ.

    Args:
        features: float32 (N, F).
        queries: int (Q,), rows.
        candidates: int (C,), rows, among which the neighbors are.
        number: How many neighbors, at most C.

    Returns:
        int64 (Q, `number`): rows, the nearest first.
    """
    number = min(number, len(candidates))
    centered = features - features[candidates].mean(axis=0)
    unit = centered / np.maximum(np.linalg.norm(centered, axis=1, keepdims=True), 1e-9)
    found: list[np.ndarray] = []
    for start in range(0, len(queries), _BLOCK):  # blocks: the whole matrix would take gigabytes
        similarities = unit[queries[start : start + _BLOCK]] @ unit[candidates].T
        # The nearest in any order, in linear time; only these are then sorted.
        some = np.argpartition(-similarities, number - 1, axis=1)[:, :number]
        order = np.take_along_axis(-similarities, some, axis=1).argsort(axis=1, kind="stable")
        found.append(candidates[np.take_along_axis(some, order, axis=1)])
    return np.concatenate(found)
