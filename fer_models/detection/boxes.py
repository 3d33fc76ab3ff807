"""Bounding boxes of faces: intersection over union, non-maximum suppression, agreement of views."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

AGREED = 0.9
"""The sum of confidences, 0 to 1 in each view of an image, from which on a box counts as a face."""

_SAME_PLACE = 0.4
"""Intersection over union from which on boxes of two views are the same face."""


@dataclass(frozen=True)
class Detections:
    """N detected faces, the most confident first."""

    boxes: np.ndarray
    """float64 (N, 4): left, top, right, bottom, in pixels; they can reach beyond the image."""
    points: np.ndarray
    """float64 (N, 5, 2): eyes, nose, corners of the mouth, x and y, left in the image before right."""
    confidences: np.ndarray
    """float64 (N,), 0 to 1."""

    @property
    def best(self) -> float:
        """The highest confidence; 0 without a face."""
        return float(self.confidences[0]) if len(self.confidences) else 0.0

    def only(self, numbers: list[int]) -> "Detections":
        """Selects detections by their row numbers."""
        return Detections(self.boxes[numbers], self.points[numbers], self.confidences[numbers])

    def flipped(self, width: int) -> "Detections":
        """Flips boxes and points horizontally, in an image of that width in pixels."""
        # The right edge becomes the left one; so do right eye and right corner of the mouth.
        left, top, right, bottom = self.boxes.T
        boxes = np.stack([width - right, top, width - left, bottom], axis=1)
        points = self.points[:, [1, 0, 2, 4, 3]]
        return Detections(boxes, [width, 0] + points * [-1, 1], self.confidences)


def nothing() -> Detections:
    """Detections without a face."""
    return Detections(np.empty((0, 4)), np.empty((0, 5, 2)), np.empty(0))


def distinct(
    boxes: np.ndarray, scores: np.ndarray, most_shared: float, *, of_smaller: bool = False
) -> np.ndarray:
    """Non-maximum suppression: drops each box that a box of a higher score overlaps.

    Args:
        boxes: float (N, 4): left, top, right, bottom.
        scores: float (N,).
        most_shared: The largest overlap, 0 to 1, of two boxes that both stay.
        of_smaller: Whether the overlap is the intersection over the smaller area, and not over the
            union.

    Returns:
        The rows that stay, int (n,), the highest score first.
    """
    candidates = np.argsort(-scores, kind="stable")
    selected: list[int] = []
    while len(candidates):
        best, candidates = candidates[0], candidates[1:]
        selected.append(best)
        shared = _shared(boxes[best], boxes[candidates], of_smaller=of_smaller)
        candidates = candidates[shared <= most_shared]
    return np.array(selected, dtype=int)


def agreed(views: Sequence[Detections]) -> Detections:
    """The most confident detection that several views of one image agree on; none if there is none.

    An uncertain detection is as often a chance pattern as a face. A face is still found when the image
    is flipped or reduced; a chance pattern mostly is not.

    Args:
        views: The detections of each view (test-time augmentation), all in pixels of the same image.
    """
    best = nothing()
    for view in views:
        for number, (box, confidence) in enumerate(zip(view.boxes, view.confidences, strict=True)):
            # Of each other view the most confident box in the same place; 0 if it has none there.
            others = [
                other.confidences[_shared(box, other.boxes) > _SAME_PLACE].max(initial=0.0)
                for other in views
                if other is not view
            ]
            if confidence > best.best and confidence + sum(others) >= AGREED:
                best = view.only([number])
    return best


def _shared(box: np.ndarray, boxes: np.ndarray, *, of_smaller: bool = False) -> np.ndarray:
    """Intersection over union of a box with each of N boxes; or over the smaller of the two areas."""
    low = np.maximum(box[:2], boxes[:, :2])
    high = np.minimum(box[2:], boxes[:, 2:])
    shared = np.prod(np.maximum(high - low, 0), axis=1)
    area, areas = np.prod(box[2:] - box[:2]), np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    whole = np.minimum(area, areas) if of_smaller else area + areas - shared
    return shared / np.maximum(whole, 1e-9)
