"""Several looks at one picture: what each shows goes in, the face that they agree on comes out.

A detector that is not sure of a face is often right, and as often takes a pattern for one. A face is
there still when the picture is mirrored or made smaller; a chance pattern mostly is not.
"""

from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image

from fer_models.cascade import Detections

AGREED = 0.9
"""What the confidences of one face, 0 to 1 in each look, add up to if it is taken for one."""

_SMALLER = 0.6
_SAME_PLACE = 0.4


def agreed(looks: Sequence[Detections]) -> Detections:
    """The surest detection that the looks agree on; none if there is none.

    Args:
        looks: What each look found, all in pixels of the same picture. Of what a look has in one place,
            which is two fifths of two boxes' union, the surest counts.
    """
    best: tuple[float, Detections | None] = (0.0, None)
    for look in looks:
        for number, (box, confidence) in enumerate(zip(look.boxes, look.confidences, strict=True)):
            others = (_confidence_at(box, other) for other in looks if other is not look)
            if confidence > best[0] and confidence + sum(others) >= AGREED:
                best = float(confidence), look.only([number])
    return best[1] or looks[0].only([])


def at_a_smaller_picture(
    look: Callable[[np.ndarray], Detections], picture: np.ndarray
) -> Detections:
    """What a look at a smaller copy of a picture, uint8 (H, W, 3), finds, in pixels of the picture."""
    height, width = picture.shape[:2]
    size = max(1, round(_SMALLER * width)), max(1, round(_SMALLER * height))
    image = Image.fromarray(picture).resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
    return look(np.asarray(image)).scaled(width / size[0])


def in_the_mirror(look: Callable[[np.ndarray], Detections], picture: np.ndarray) -> Detections:
    """What a look at the mirror image of a picture, uint8 (H, W, 3), finds, mirrored back."""
    return look(np.ascontiguousarray(picture[:, ::-1])).mirrored(picture.shape[1])


def _confidence_at(box: np.ndarray, look: Detections) -> float:
    """The highest confidence of a look in the place of a box; 0 where it found nothing."""
    low = np.maximum(box[:2], look.boxes[:, :2])
    high = np.minimum(box[2:], look.boxes[:, 2:])
    shared = np.prod(np.maximum(high - low, 0), axis=1)
    areas = np.prod(look.boxes[:, 2:] - look.boxes[:, :2], axis=1)
    whole = np.prod(box[2:] - box[:2]) + areas - shared
    return float(look.confidences[shared > _SAME_PLACE * whole].max(initial=0.0))
