"""Aligns a face by five points: rotates and scales it to the pose of the archive's average face."""

import math

import numpy as np
from PIL import Image

from fer_data.core.schema import FACE_SIZE

ARCHIVE_POINTS = np.array([[15.2, 18.7], [33.2, 18.4], [24.2, 28.7], [16.8, 37.6], [31.7, 37.4]])
"""Where the detector finds eyes, nose and corners of the mouth in the archive's faces: medians of x and
y, in pixels of 48. `python benchmarks/average_face.py` measures them.
"""


def aligned(image: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Crops and aligns a face for the networks.

    All five points are fitted, not the eyes alone, which are close together in a profile.

    Args:
        image: uint8 (H, W, 3), RGB; beyond its edges, it goes on as it is at them.
        points: float (5, 2): eyes, nose and corners of the mouth, x and y in pixels.

    Returns:
        uint8 (48, 48).
    """
    # The map from pixels of the 48x48 face to pixels of the image.
    to_image = similarity(ARCHIVE_POINTS, points)
    # The face is rotated at about the image's own resolution, and then reduced by Lanczos: 48x48 samples
    # of a large face would alias. `turned` is the map from pixels of that larger square.
    most = 2 * max(FACE_SIZE, *image.shape[:2])
    side = min(max(FACE_SIZE, math.ceil(FACE_SIZE * _scale(to_image))), most)
    turned = to_image @ np.diag([FACE_SIZE / side, FACE_SIZE / side, 1.0])
    # Only the region under the square is cut out, with a margin of two pixels for bicubic resampling.
    corners = np.array([[0, 0, 1], [side, 0, 1], [0, side, 1], [side, side, 1]]) @ turned.T
    left, top = np.floor(corners.min(axis=0)).astype(int) - 2
    right, bottom = np.ceil(corners.max(axis=0)).astype(int) + 2
    rows, columns = _inside(top, bottom, image.shape[0]), _inside(left, right, image.shape[1])
    region = Image.fromarray(image[np.ix_(rows, columns)]).convert("L")
    # The map is of the whole image; its shift becomes one of the region.
    turned[:, 2] -= [max(left, -image.shape[1]), max(top, -image.shape[0])]
    face = region.transform(
        (side, side), Image.Transform.AFFINE, turned.ravel().tolist(), Image.Resampling.BICUBIC
    )
    return np.asarray(face.resize((FACE_SIZE, FACE_SIZE), Image.Resampling.LANCZOS))


def coverage(points: np.ndarray, shape: tuple[int, ...]) -> float:
    """Intersection over union of a face's square and an image of that shape, 0 to 1."""
    to_image = similarity(ARCHIVE_POINTS, points)
    half = FACE_SIZE / 2 * _scale(to_image)
    middle = to_image @ [FACE_SIZE / 2, FACE_SIZE / 2, 1]
    height, width = shape[:2]
    shared = np.minimum(middle + half, [width, height]) - np.maximum(middle - half, 0)
    intersection = float(np.prod(np.maximum(shared, 0)))
    return intersection / (height * width + (2 * half) ** 2 - intersection)


def similarity(from_points: np.ndarray, to_points: np.ndarray) -> np.ndarray:
    """Fits a similarity transform, float (2, 3), from points (n, 2) to other points, by least squares.

    Rotation, scale and translation, after Umeyama, Least-Squares Estimation of Transformation Parameters
    Between Two Point Patterns (1991). In the plane, points are complex numbers z = x + iy, and the
    transform is `factor * z + translation`: the factor's angle rotates, its absolute value scales.
    """
    start, end = from_points @ [1, 1j], to_points @ [1, 1j]
    # Around their means, the translation is 0, and the factor is a regression through the origin.
    centered, target = start - start.mean(), end - end.mean()
    factor = np.vdot(centered, target) / np.vdot(centered, centered)  # vdot conjugates the first
    translation = end.mean() - factor * start.mean()
    # Multiplication by a + ib is the matrix [[a, -b], [b, a]].
    return np.array(
        [
            [factor.real, -factor.imag, translation.real],
            [factor.imag, factor.real, translation.imag],
        ]
    )


def _scale(transform: np.ndarray) -> float:
    """The scale of a similarity transform: the length of its first column."""
    return math.hypot(transform[0, 0], transform[1, 0])


def _inside(start: int, stop: int, size: int) -> np.ndarray:
    """The pixels from `start` to `stop` of an axis; those outside of the image are its nearest edge.

    The range is cut at an image's length beyond either edge: absurd points would need gigabytes.
    """
    start, stop = np.clip([start, stop], -size, 2 * size)
    return np.clip(np.arange(start, max(stop, start + 1)), 0, size - 1)
