"""Finds near-duplicates by normalized correlation, mirrored ones too.

All pairs are compared, in blocks of matrix products, so that none is missed, as an approximate index
of nearest neighbors would.
"""

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from fer_data.core.schema import FACE_SIZE

_SIDE = 12
_BLOCK = 1_024


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
    return first[near_duplicates(pixels[first], min_correlation=min_correlation)]


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


def near_duplicates(pixels: np.ndarray, *, min_correlation: float) -> np.ndarray:
    """Pairs of faces whose pixels correlate, as they are or with one of them mirrored.

    Images are compared at a quarter of their size, with brightness and contrast evened out: so that
    recompression, a small shift or another exposure do not hide a duplicate.

    Args:
        pixels: uint8 (N, 48, 48); may be memory-mapped. Images of one gray have no near-duplicates.
        min_correlation: Pearson's correlation from which on two faces count as near-duplicates.

    Returns:
        int64 (P, 2): rows, the smaller first, each pair once, in ascending order.
    """
    # Averages of 4x4 pixels: 12x12 numbers a face.
    quarter = FACE_SIZE // _SIDE
    parts = [pixels[start : start + _BLOCK] for start in range(0, len(pixels), _BLOCK)]
    small = np.concatenate(
        [part.reshape(-1, _SIDE, quarter, _SIDE, quarter).mean(axis=(2, 4)) for part in parts]
    )
    # The product of rows with mean 0 and length 1 is their correlation.
    faces, mirrored = _unit_length(small), _unit_length(small[:, :, ::-1])
    pairs: list[np.ndarray] = []
    for start in range(0, len(faces), _BLOCK):
        # Only later faces: a pair is found from its earlier face, mirrored or not.
        others = faces[start:].T
        for block in (faces[start : start + _BLOCK], mirrored[start : start + _BLOCK]):
            rows, columns = np.nonzero(block @ others >= min_correlation)
            pairs.append(np.stack([rows + start, columns + start], axis=1))
    # Each face correlates with itself, and symmetric ones with their mirror image: no pairs.
    found = np.concatenate(pairs)
    return np.unique(found[found[:, 0] < found[:, 1]], axis=0)


def _unit_length(small: np.ndarray) -> np.ndarray:
    """Float32 (N, 144): each row with mean 0 and length 1, or all 0 where nothing varies."""
    flat = small.reshape(len(small), -1).astype(np.float32)
    flat = flat - flat.mean(axis=1, keepdims=True)
    # Shorter than 1 gray level: rounding of an image of one gray.
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    return np.where(length > 1, flat / np.maximum(length, 1), 0)
