"""Outlier scores, which find images that show no photographed face.

Archives that were gathered by a search engine hold error images, pages of text, drawings and plain
black. They differ from photographs of faces in two ways: a space of eigenfaces does not hold them, and
they have few grey levels.
"""

from collections.abc import Iterator

import numpy as np

NUM_EIGENFACES = 40

_SIDE = 24
_BLOCK = 4_096
_LARGE_BLOCK = 65_536
"""Faces whose halves are in memory at a time: 150 MB."""
_GREY_BINS = 64
_NORMAL_MAD = 1.4826
"""Standard deviation over median absolute deviation, of a normal distribution."""


def outlier_scores(pixels: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
    """Scores how unlike the other faces each image is.

    The sum of two robust z-scores: of the image's squared distance from the space of eigenfaces
    (Turk & Pentland, 1991, "Eigenfaces for Recognition", section "Locating and detecting faces"), at
    half size and with brightness and contrast evened out, and of how much less entropy its grey levels
    have than those of others.

    Args:
        pixels: uint8 (M, 48, 48), most of them faces; may be memory-mapped.
        rows: int (N,), which of them to score, among themselves; None: all.

    Returns:
        float64 (N,): about 0 for an ordinary face. FER2013's error images and pages of text lie
        above 10, its line drawings above 7; one photograph in 3,000, very dark or pale, lies above 8.
    """
    rows = np.arange(len(pixels)) if rows is None else np.asarray(rows)
    blocks = np.split(rows, range(_LARGE_BLOCK, len(rows), _LARGE_BLOCK))
    # Principal components of all images at half size: the eigenfaces are the last, largest ones.
    mean = sum(_small_of(pixels, block).sum(axis=0) for block in blocks) / len(rows)
    products = np.zeros((_SIDE**2, _SIDE**2), np.float32)
    for block in blocks:
        centred = _small_of(pixels, block) - mean
        products += centred.T @ centred
    _, eigenfaces = np.linalg.eigh(products)
    outside, entropy = np.empty(len(rows), np.float32), np.empty(len(rows))
    for number, block in enumerate(blocks):
        where = slice(number * _LARGE_BLOCK, number * _LARGE_BLOCK + len(block))
        centred = _small_of(pixels, block) - mean
        # Squared length inside of the space of eigenfaces, and what is left outside (Pythagoras).
        inside = np.square(centred @ eigenfaces[:, -NUM_EIGENFACES:]).sum(axis=1)
        outside[where] = np.square(centred).sum(axis=1) - inside
        # Texts and drawings have few grey levels, so little entropy.
        entropy[where] = np.concatenate([_grey_entropy(part) for part in _parts(pixels, block)])
    return _robust_z(outside) - _robust_z(entropy)


def _parts(pixels: np.ndarray, rows: np.ndarray) -> Iterator[np.ndarray]:
    """The pixels of some rows, a few at a time."""
    return (pixels[rows[start : start + _BLOCK]] for start in range(0, len(rows), _BLOCK))


def _small_of(pixels: np.ndarray, rows: np.ndarray) -> np.ndarray:
    return np.concatenate([_small(part) for part in _parts(pixels, rows)])


def _small(pixels: np.ndarray) -> np.ndarray:
    """Float32 (N, 576): faces at half size, their mean 0 and their standard deviation 1."""
    halves = pixels.reshape(-1, _SIDE, 2, _SIDE, 2).mean(axis=(2, 4), dtype=np.float32)
    flat = halves.reshape(len(pixels), -1)
    flat -= flat.mean(axis=1, keepdims=True)
    return flat / np.maximum(flat.std(axis=1, keepdims=True), 1)


def _grey_entropy(pixels: np.ndarray) -> np.ndarray:
    """Entropy of each image's grey levels, in bits, float64 (N,)."""
    # Bin numbers, shifted by row, so that one `bincount` makes all histograms.
    levels = pixels.reshape(len(pixels), -1) // (256 // _GREY_BINS)
    rows = np.arange(len(pixels))[:, np.newaxis] * _GREY_BINS
    counts = np.bincount((levels + rows).ravel(), minlength=len(pixels) * _GREY_BINS)
    parts = counts.reshape(len(pixels), _GREY_BINS) / levels.shape[1]
    return -(parts * np.log2(np.where(parts > 0, parts, 1))).sum(axis=1)


def _robust_z(values: np.ndarray) -> np.ndarray:
    """How many standard deviations each value lies above the median, by the median deviation."""
    deviations = values - np.median(values)
    return deviations / max(_NORMAL_MAD * np.median(np.abs(deviations)), 1e-9)
