"""Finds near-duplicates by normalized correlation, mirrored ones too.

None is missed: faces that are far apart in a few dimensions are so in all, and the pairs that are close
together there are compared by all of their numbers. Most blocks of faces are too far apart for that.
"""

from collections.abc import Iterator

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from fer_data.core.schema import FACE_SIZE

_SIDE = 12
_BLOCK = 128
_COLUMNS = 16_384
_NUM_EVEN, _NUM_ODD = 8, 4
"""Dimensions: with more of them, fewer pairs are close together, and each takes longer."""
_DENSE = 1 / 128
"""The part of all pairs from which on it is faster to compare all than the close ones, one by one."""
_ROUNDING = 1e-5
"""Of squared distances and of correlations, in single precision; far more than it can be."""


def near_pairs(
    pixels: np.ndarray, duplicate_groups: np.ndarray, *, min_correlation: float
) -> np.ndarray:
    """Pairs of different images that are near-duplicates, each image by its first face.

    Of exact duplicates only the first is compared: half as many pairs where there are many copies.

    Args:
        pixels: uint8 (N, 48, 48); may be memory-mapped.
        duplicate_groups: int64 (N,), equal for exact duplicates.
        min_correlation: As for `near_duplicates`.

    Returns:
        int64 (P, 2): rows of `pixels`.
    """
    # `first` leads from the rows that are compared back to those of `pixels`.
    _, first = np.unique(duplicate_groups, return_index=True)
    return first[near_duplicates(pixels, rows=first, min_correlation=min_correlation)]


def near_groups(pairs: np.ndarray, duplicate_groups: np.ndarray) -> np.ndarray:
    """Groups faces so that near-duplicates, and near-duplicates of those, are together.

    Args:
        pairs: int64 (P, 2), as `near_pairs` returns them.
        duplicate_groups: int64 (N,), equal for exact duplicates, which are together in any case.

    Returns:
        int64 (N,): the group of each face, 0-based, in order of appearance.
    """
    num_faces = len(duplicate_groups)
    # A graph of faces: a link from each face to the first of its exact duplicates, and one a near pair.
    _, first = np.unique(duplicate_groups, return_index=True)
    exact = np.stack([np.arange(num_faces), first[duplicate_groups]], axis=1)
    rows, columns = np.concatenate([exact, pairs]).T
    # Its connected components are the groups, chains of near-duplicates included.
    links = coo_array((np.ones(len(rows)), (rows, columns)), shape=(num_faces, num_faces))
    return connected_components(links, directed=False)[1].astype(np.int64)


def near_duplicates(
    pixels: np.ndarray, *, min_correlation: float, rows: np.ndarray | None = None
) -> np.ndarray:
    """Pairs of faces whose pixels correlate, as they are or with one of them mirrored.

    Images are compared at a quarter of their size, with brightness and contrast evened out: so that
    recompression or another exposure do not hide a duplicate. A shift by a pixel hides most.

    Args:
        pixels: uint8 (N, 48, 48); may be memory-mapped. Images of one gray have no near-duplicates.
        min_correlation: Pearson's correlation from which on two faces count as near-duplicates.
        rows: int (M,), the faces to compare; None: all.

    Returns:
        int64 (P, 2): places in `rows`, the smaller first, each pair once, in ascending order.
    """
    even, odd = _unit_parts(pixels, np.arange(len(pixels)) if rows is None else rows)
    varied = np.flatnonzero(even.any(axis=1) | odd.any(axis=1))
    even, odd = even[varied], odd[varied]
    found = [
        pairs[_correlations(even, odd, pairs) >= min_correlation]
        for pairs in _candidates(even, odd, min_correlation)
    ]
    pairs = varied[np.concatenate([np.empty((0, 2), np.int64), *found])]
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]


def _candidates(even: np.ndarray, odd: np.ndarray, min_correlation: float) -> Iterator[np.ndarray]:
    """Pairs (C, 2) of rows, among which are all that correlate; each pair once."""
    # The squared distance of rows of length 1 is 2 - 2 * correlation. Nowhere in the points below are
    # two faces farther apart. Nor in magnitudes, whichever of the two is mirrored: that turns the sign
    # of the odd part.
    max_distance = 2 * (1 - min_correlation) + _ROUNDING  # squared
    points = np.hstack([_components(even, _NUM_EVEN), np.abs(_components(odd, _NUM_ODD))])
    # In the order of a tree's leaves, rows that follow each other lie close together.
    order = np.asarray(cKDTree(points).indices, np.int64)
    points = points[order]
    # (a, -|a|^2 / 2, 1) times (b, 1, -|b|^2 / 2) is half of the squared distance, negative.
    halves, ones = (
        -np.square(points).sum(axis=1, keepdims=True) / 2,
        np.ones((len(points), 1), "f4"),
    )
    left, right = np.hstack([points, halves, ones]), np.hstack([points, ones, halves])
    for rows, others in _near_blocks(points, 0, len(points), np.arange(len(points)), max_distance):
        for first in range(0, len(others), _COLUMNS):
            columns = others[first : first + _COLUMNS]
            close = left[rows] @ right[columns].T >= -max_distance / 2
            if np.count_nonzero(close) > _DENSE * close.size:
                correlations = _compared(even, odd, order[rows], order[columns])
                close = correlations >= min_correlation - _ROUNDING
            of_rows, of_columns = np.divmod(np.flatnonzero(close), len(columns))
            pairs = np.stack([rows.start + of_rows, columns[of_columns]], axis=1)
            pairs = pairs[pairs[:, 0] < pairs[:, 1]]  # of a block with itself, one half
            yield np.sort(order[pairs], axis=1)


def _near_blocks(
    points: np.ndarray, start: int, stop: int, others: np.ndarray, max_distance: float
) -> Iterator[tuple[slice, np.ndarray]]:
    """Blocks of points, and the later points (and its own) that are near to the box around each.

    What is far from the box of many points is far from that of any part of them: a block is halved
    again and again, and fewer points are left to look at each time.
    """
    others = others[np.searchsorted(others, start) :]
    if start == stop or not len(others):
        return
    low, high = points[start:stop].min(axis=0), points[start:stop].max(axis=0)
    near = []
    for first in range(0, len(others), _COLUMNS):
        some = others[first : first + _COLUMNS]
        outside = points[some] - np.clip(points[some], low, high)
        near.append(some[np.einsum("nd,nd->n", outside, outside) <= max_distance])
    others = np.concatenate(near)
    if stop - start <= _BLOCK:
        yield slice(start, stop), others
        return
    middle = (start + stop) // 2
    yield from _near_blocks(points, start, middle, others, max_distance)
    yield from _near_blocks(points, middle, stop, others, max_distance)


def _compared(
    even: np.ndarray, odd: np.ndarray, rows: np.ndarray, others: np.ndarray
) -> np.ndarray:
    """The correlations of all pairs of some rows with others: float32 (R, O)."""
    return even[rows] @ even[others].T + np.abs(odd[rows] @ odd[others].T)


def _correlations(even: np.ndarray, odd: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """The correlation of each pair, the higher one of as it is and mirrored: float64 (P,)."""
    correlations = np.empty(len(pairs))
    for start in range(0, len(pairs), _COLUMNS):
        rows, others = pairs[start : start + _COLUMNS].T
        straight, turned = (
            np.einsum("nd,nd->n", part[rows], part[others], dtype=np.float64)
            for part in (even, odd)
        )
        correlations[start : start + _COLUMNS] = straight + np.abs(turned)
    return correlations


def _components(part: np.ndarray, number: int) -> np.ndarray:
    """The largest principal components (about 0, not the mean), and the length of what they leave.

    Returns:
        float32 (N, `number` + 1): the distance of two rows is no longer than that of their parts.
    """
    _, axes = np.linalg.eigh(part.T @ part)
    components = part @ axes[:, -number:]
    left = np.einsum("nd,nd->n", part, part) - np.einsum("nd,nd->n", components, components)
    return np.column_stack([components, np.sqrt(np.maximum(left, 0))])


def _unit_parts(pixels: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What a face and its mirror image share, and what differs in sign: float32 (N, 72) each.

    Side by side, the parts of a face have mean 0 and length 1, or are all 0 where nothing varies: the
    product of two faces is their correlation.
    """
    quarter, half = FACE_SIZE // _SIDE, _SIDE // 2
    even, odd = np.empty((2, len(rows), _SIDE * half), np.float32)
    for start in range(0, len(rows), _BLOCK):
        block = slice(start, start + _BLOCK)
        # Averages of 4x4 pixels: 12x12 numbers a face.
        small = pixels[rows[block]].reshape(-1, _SIDE, quarter, _SIDE, quarter).mean(axis=(2, 4))
        small -= small.mean(axis=(1, 2), keepdims=True)
        # Shorter than 1 gray level: rounding of an image of one gray.
        length = np.linalg.norm(small, axis=(1, 2), keepdims=True)
        unit = np.where(length > 1, small / np.maximum(length, 1), 0)
        left, right = unit[:, :, :half], unit[:, :, : half - 1 : -1]
        even[block] = ((left + right) / np.sqrt(2)).reshape(-1, _SIDE * half)
        odd[block] = ((left - right) / np.sqrt(2)).reshape(-1, _SIDE * half)
    return even, odd
