"""Finds the faces of an image, aligned to 48x48 gray levels as the networks take them.

Command line, videos, app and benchmarks all find their faces here. A face is rotated and scaled so that
its eyes, nose and mouth lie where they lie in the archive's average face (`alignment.py`).
"""

from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from fer_data.core.schema import FACE_SIZE
from fer_models.detection.alignment import aligned, coverage
from fer_models.detection.boxes import Detections, agreed
from fer_models.detection.mtcnn import Cascade

SURE = 0.7
"""The confidence, 0 to 1, from which on a detection counts as a face."""
PERHAPS = 0.4
"""The confidence from which on the best detection in a frame of a video counts where none is sure."""

_VIEWS = ((1.0, False), (1.0, True), (0.6, False), (0.6, True))
"""Test-time augmentation: the scale of each view of an image, and whether it is flipped horizontally.
Views are searched one after the other while no face is sure; the networks often find in one of them what
they miss in the others."""
_CROP_ASPECT = 1.25
_CROP_SIDE = 2 * FACE_SIZE
_LEAST_CROP_SIDE = FACE_SIZE // 2  # as of the archive's faces that may be resized
_CROP_OVERLAP = 0.75


@dataclass(frozen=True)
class Face:
    """A face of an image."""

    box: tuple[int, int, int, int]
    """Left, top, width and height, in pixels of the image, inside of it."""
    eyes: tuple[tuple[float, float], tuple[float, float]] | None
    """x and y of each, in pixels, the one on the left of the image first; None without detection."""
    pixels: np.ndarray
    """uint8 (48, 48), as the networks take it."""
    confidence: float
    """The detector's, 0 to 1; 1 for a face crop that is taken as it is, 0 for a whole image."""


class FaceFinder:
    """Finds faces; the networks are loaded with the first image that needs them."""

    def __init__(self) -> None:
        """Loads no network yet."""
        self._loaded: Cascade | None = None

    @property
    def _cascade(self) -> Cascade:
        if self._loaded is None:
            self._loaded = Cascade()
        return self._loaded

    def find(self, image: np.ndarray, *, smallest_face: float = 0.0) -> list[Face]:
        """Finds all faces of an image.

        Args:
            image: uint8 (H, W, 3), RGB.
            smallest_face: Side, in pixels, of the smallest face that is looked for; the larger, the
                faster. The least is 20, and in images above 1024 pixels a fiftieth of the side.

        Returns:
            The faces, from left to right: all sure ones, or else the one that several views agree on;
            none if there is none. An image that is a face crop already is one face, as it is.
        """
        if is_small_crop(image):
            return [replace(whole_image(image), confidence=1.0)]
        faces, points = _faces(image, self._searched(image, smallest_face))
        if len(faces) == 1 and coverage(points[0], image.shape) > _CROP_OVERLAP:
            return [replace(whole_image(image), confidence=1.0)]
        return faces

    def find_in_frame(self, image: np.ndarray, *, smallest_face: float = 0.0) -> list[Face]:
        """Finds all faces of a frame of a video: one view, and never a face crop."""
        found = self._cascade.detect(image, smallest_face=smallest_face)
        return _faces(image, _sure_or_first(found))[0]

    def follow(self, image: np.ndarray, faces: list[Face]) -> list[Face]:
        """Finds faces of the frame before again, by O-Net alone: much less work than `find_in_frame`.

        Returns:
            Those that are still there, from left to right.
        """
        boxes = np.array([_corners(face.box) for face in faces], np.float64).reshape(-1, 4)
        return _faces(image, _sure_or_first(self._cascade.detect_in_boxes(image, boxes)))[0]

    def _searched(self, image: np.ndarray, smallest_face: float) -> Detections:
        """The sure faces of the first view that has any; else the one that the views agree on."""
        views: list[Detections] = []
        for reduced, flipped in _VIEWS:
            view = np.ascontiguousarray(image[:, ::-1]) if flipped else image
            found = self._cascade.detect(view, smallest_face=smallest_face, reduced=reduced)
            views.append(found.flipped(image.shape[1]) if flipped else found)
            if found.best >= SURE:
                return _sure(views[-1])
        return agreed(views)


def whole_image(image: np.ndarray) -> Face:
    """Takes the central square of an image, uint8 (H, W, 3), for a face where none was found."""
    height, width = image.shape[:2]
    side = min(height, width)
    left, top = (width - side) // 2, (height - side) // 2
    gray = Image.fromarray(image).convert("L").crop((left, top, left + side, top + side))
    size = (FACE_SIZE, FACE_SIZE)
    if gray.size != size:
        gray = gray.resize(size, Image.Resampling.LANCZOS)
    return Face((left, top, side, side), None, np.asarray(gray), confidence=0.0)


def is_small_crop(image: np.ndarray) -> bool:
    """Whether an image is a face crop: nearly square, and too small for anything but a face.

    Icons, which are too small even for a face, and images of one color are none.
    """
    short, long = sorted(image.shape[:2])
    if short < _LEAST_CROP_SIDE or image.min() == image.max():
        return False
    return long <= _CROP_SIDE and long <= _CROP_ASPECT * short


def _sure(found: Detections) -> Detections:
    return found.only(np.flatnonzero(found.confidences >= SURE).tolist())


def _sure_or_first(found: Detections) -> Detections:
    return _sure(found) if found.best >= SURE or found.best < PERHAPS else found.only([0])


def _faces(image: np.ndarray, found: Detections) -> tuple[list[Face], list[np.ndarray]]:
    """Crops and aligns detected faces, from left to right; the second list has the points of each."""
    height, width = image.shape[:2]
    faces: list[Face] = []
    shown = np.argsort(found.boxes[:, 0])
    for number in shown:
        left, top, right, bottom = found.boxes[number].round().astype(int).tolist()
        left, top = max(left, 0), max(top, 0)
        box = left, top, min(right, width) - left, min(bottom, height) - top
        points = found.points[number]
        eyes = tuple(points[0].tolist()), tuple(points[1].tolist())
        confidence = float(found.confidences[number])
        faces.append(Face(box, eyes, aligned(image, points), confidence))
    return faces, list(found.points[shown])


def _corners(box: tuple[int, int, int, int]) -> list[int]:
    left, top, width, height = box
    return [left, top, left + width, top + height]
