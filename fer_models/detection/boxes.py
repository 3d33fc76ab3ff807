"""What a detector says of an image: boxes that may be faces, and which of them are one and the same."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

AGREED = 0.9
"""What the confidences of one face, 0 to 1 in each look at it, add up to if it is taken for one."""

_SAME_PLACE = 0.4


@dataclass(frozen=True)
class Detections:
    """N faces, the surest first."""

    boxes: np.ndarray
    """float64 (N, 4): left, top, right, bottom, in pixels; they can reach beyond the image."""
    points: np.ndarray
    """float64 (N, 5, 2): eyes, nose, corners of the mouth, x and y, left in the image before right."""
    confidences: np.ndarray
    """float64 (N,), 0 to 1."""

    @property
    def best(self) -> float:
        """The confidence of the surest; 0 without any."""
        return float(self.confidences[0]) if len(self.confidences) else 0.0

    def only(self, numbers: list[int]) -> "Detections":
        """Those of these numbers alone."""
        return Detections(self.boxes[numbers], self.points[numbers], self.confidences[numbers])

    def mirrored(self, width: int) -> "Detections":
        """Where the faces are in the mirror image of their image, which is so many pixels wide."""
        left, top, right, bottom = self.boxes.T
        boxes = np.stack([width - right, top, width - left, bottom], axis=1)
        points = self.points[:, [1, 0, 2, 4, 3]]
        return Detections(boxes, [width, 0] + points * [-1, 1], self.confidences)


def nothing() -> Detections:
    """No face."""
    return Detections(np.empty((0, 4)), np.empty((0, 5, 2)), np.empty(0))


def distinct(
    boxes: np.ndarray, scores: np.ndarray, most_shared: float, *, of_smaller: bool = False
) -> np.ndarray:
    """The places of boxes, float (N, 4), that no surer one covers, the surest first.

    Two boxes cover each other whose intersection is more than `most_shared` of their union, or, if
    `of_smaller`, of the smaller one.
    """
    waiting = np.argsort(-scores, kind="stable")
    kept: list[int] = []
    while len(waiting):
        best, waiting = waiting[0], waiting[1:]
        kept.append(best)
        shared = _shared(boxes[best], boxes[waiting], of_smaller=of_smaller)
        waiting = waiting[shared <= most_shared]
    return np.array(kept, dtype=int)


def agreed(looks: Sequence[Detections]) -> Detections:
    """The surest detection that several looks at one image agree on; none if there is none.

    A detector that is not sure of a face is often right, and as often takes a pattern for one. A face is
    still there when the image is mirrored or reduced; a chance pattern mostly is not.

    Args:
        looks: What each look found, all in pixels of the same image. Of what a look has in one place,
            which is two fifths of two boxes' union, the surest counts.
    """
    best = nothing()
    for look in looks:
        for number, (box, confidence) in enumerate(zip(look.boxes, look.confidences, strict=True)):
            others = [
                other.confidences[_shared(box, other.boxes) > _SAME_PLACE].max(initial=0.0)
                for other in looks
                if other is not look
            ]
            if confidence > best.best and confidence + sum(others) >= AGREED:
                best = look.only([number])
    return best


def _shared(box: np.ndarray, boxes: np.ndarray, *, of_smaller: bool = False) -> np.ndarray:
    """The part of its union with each of N boxes, or of the smaller one, that a box shares with it."""
    low = np.maximum(box[:2], boxes[:, :2])
    high = np.minimum(box[2:], boxes[:, 2:])
    shared = np.prod(np.maximum(high - low, 0), axis=1)
    area, areas = np.prod(box[2:] - box[:2]), np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    whole = np.minimum(area, areas) if of_smaller else area + areas - shared
    return shared / np.maximum(whole, 1e-9)
