"""Turns and scales faces as those of the archive: five points go in, 48x48 grey levels come out."""

import math

import numpy as np
from PIL import Image

from fer_data.core.schema import FACE_SIZE

ARCHIVE_POINTS = np.array([[15.2, 18.7], [33.2, 18.4], [24.2, 28.7], [16.8, 37.6], [31.7, 37.4]])
"""Where the detector finds eyes, nose and corners of the mouth in the archive's faces: medians of x and
y, in pixels of 48. `python benchmarks/average_face.py` measures them.
"""


def aligned(image: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The face as a network takes it.

    All five points count, and not the eyes alone, which are close together in a profile.

    Args:
        image: uint8 (H, W, 3), RGB; beyond its edges, it goes on as it is at them.
        points: float (5, 2): eyes, nose and corners of the mouth, x and y in pixels.

    Returns:
        uint8 (48, 48).
    """
    to_image = similarity(ARCHIVE_POINTS, points)
    # First turned, at about the image's own size; then reduced, without aliasing.
    most = 2 * max(FACE_SIZE, *image.shape[:2])
    side = min(max(FACE_SIZE, math.ceil(FACE_SIZE * _scale(to_image))), most)
    turned = to_image @ np.diag([FACE_SIZE / side, FACE_SIZE / side, 1.0])
    corners = np.array([[0, 0, 1], [side, 0, 1], [0, side, 1], [side, side, 1]]) @ turned.T
    left, top = np.floor(corners.min(axis=0)).astype(int) - 2
    right, bottom = np.ceil(corners.max(axis=0)).astype(int) + 2
    rows, columns = _inside(top, bottom, image.shape[0]), _inside(left, right, image.shape[1])
    region = Image.fromarray(image[np.ix_(rows, columns)]).convert("L")
    turned[:, 2] -= [max(left, -image.shape[1]), max(top, -image.shape[0])]
    face = region.transform(
        (side, side), Image.Transform.AFFINE, turned.ravel().tolist(), Image.Resampling.BICUBIC
    )
    return np.asarray(face.resize((FACE_SIZE, FACE_SIZE), Image.Resampling.LANCZOS))


def coverage(points: np.ndarray, shape: tuple[int, ...]) -> float:
    """How far a face's square fills an image of that shape: intersection over union, 0 to 1."""
    to_image = similarity(ARCHIVE_POINTS, points)
    half = FACE_SIZE / 2 * _scale(to_image)
    middle = to_image @ [FACE_SIZE / 2, FACE_SIZE / 2, 1]
    height, width = shape[:2]
    shared = np.minimum(middle + half, [width, height]) - np.maximum(middle - half, 0)
    intersection = float(np.prod(np.maximum(shared, 0)))
    return intersection / (height * width + (2 * half) ** 2 - intersection)


def similarity(from_points: np.ndarray, to_points: np.ndarray) -> np.ndarray:
    """The turn, scale and shift, float (2, 3), that move points (n, 2) nearest to others.

    Least squares, after Umeyama, Least-Squares Estimation of Transformation Parameters Between Two
    Point Patterns (1991), which is a line of complex numbers in the plane.
    """
    start, end = from_points @ [1, 1j], to_points @ [1, 1j]
    moved, target = start - start.mean(), end - end.mean()
    turn = np.vdot(moved, target) / np.vdot(moved, moved)
    shift = end.mean() - turn * start.mean()
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])


def _scale(transform: np.ndarray) -> float:
    return math.hypot(transform[0, 0], transform[1, 0])


def _inside(start: int, stop: int, size: int) -> np.ndarray:
    """The places from `start` to `stop`, those outside of an image replaced by its nearest.

    Absurd points would ask for gigabytes: what is farther away than the image is long is left out.
    """
    start, stop = np.clip([start, stop], -size, 2 * size)
    return np.clip(np.arange(start, max(stop, start + 1)), 0, size - 1)
