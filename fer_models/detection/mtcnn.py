"""The face detector MTCNN: finds the boxes of faces and five points of each in an image.

It is the cascade of Zhang et al., Joint Face Detection and Alignment Using Multitask Cascaded
Convolutional Networks (2016). Three networks classify ever fewer and ever better candidates:

1. P-Net, fully convolutional, slides over the image at many scales and proposes boxes;
2. R-Net takes a 24x24 patch of each proposal, drops most of them and corrects the boxes of the others;
3. O-Net takes a 48x48 patch of each box that is left, and finds the final box and five points.

Overlapping boxes are merged after each step by non-maximum suppression (`boxes.distinct`). Networks and
weights are those of the package `mtcnn`. The cascade around them is our own: the package's takes three
times as long (`benchmarks/detector.py`), finds no face where one of its scales is smaller than the input
of P-Net, as with large smallest faces, and cannot follow a face from frame to frame.
"""

import io
from collections.abc import Callable
from importlib.resources import files
from typing import Any

import joblib
import lz4.frame
import numpy as np
import tensorflow as tf
from mtcnn.network.onet import ONet
from mtcnn.network.pnet import PNet
from mtcnn.network.rnet import RNet
from PIL import Image

from fer_models.detection.boxes import Detections, distinct, nothing

WORKING_SIZE = 1024
"""Longer side, in pixels, that a larger image is reduced to before it is searched."""
SMALLEST_FACE = 20
"""Side, in pixels of the reduced image, of the smallest face that can be found."""
LEAST_CONFIDENCE = 0.3
"""Smallest confidence, 0 to 1, of a detection; `face_detector` requires more."""

_CELL = 12
"""Side, in pixels, of the window that P-Net classifies."""
_STRIDE = 2
"""Pixels from one window of P-Net to the next: its one pooling halves the resolution."""
_STEP = 0.709
"""Each scale of the image pyramid over the one before: about half the area, as in the paper."""
_PROPOSED, _SORTED = 0.6, 0.3
"""Smallest probability of a face that a box needs after P-Net, and after R-Net."""
_MIDDLE, _SPAN = 127.5, 128.0
# A crowd of 450 faces proposes fewer boxes; without a limit, a hostile image would take minutes.
_MOST_AT_A_SCALE, _MOST_PROPOSED = 1000, 2000
_BATCH = 300
"""Patches that a network takes at once: 1,000 would take 400 MB more."""


class Cascade:
    """The three networks of MTCNN, traced once."""

    def __init__(self) -> None:
        """Loads the weights."""
        self._pnet = _traced(_weighted(PNet(), "pnet"), None)
        self._rnet = _traced(_weighted(RNet(), "rnet"), 24)
        self._onet = _traced(_weighted(ONet(), "onet"), 48)

    def detect(
        self, image: np.ndarray, *, smallest_face: float = 0.0, reduced: float = 1.0
    ) -> Detections:
        """Finds the faces of an image.

        Args:
            image: uint8 (H, W, 3), RGB.
            smallest_face: Side, in pixels, of the smallest face that is looked for; the larger, the
                faster. It is at least `SMALLEST_FACE`, and in large images a fiftieth of the side.
            reduced: Further scale, 0 to 1, at which P-Net searches: it finds other faces there.
        """
        # P-Net searches a reduced image, in which the smallest face that is wanted has `SMALLEST_FACE`
        # pixels, and whose longer side has at most `WORKING_SIZE`.
        longer = max(image.shape[:2])
        scale = reduced * min(
            1.0, WORKING_SIZE / longer, SMALLEST_FACE / max(smallest_face, SMALLEST_FACE)
        )
        pillow = Image.fromarray(image)
        boxes = self._proposals(_scaled(pillow, scale)) / scale  # back in pixels of the image
        if not len(boxes):
            return nothing()
        # R-Net: from each proposal, a correction of its box and the probability of a face (the second
        # of two classes). Both later networks take their patches from the image in full resolution.
        offsets, scores = self._rnet(_patches(pillow, boxes, 24))
        boxes, scores = _corrected(boxes, offsets), scores[:, 1]
        boxes, scores = boxes[scores > _SORTED], scores[scores > _SORTED]
        boxes = boxes[distinct(boxes, scores, 0.7)]
        return self.detect_in_boxes(image, boxes)

    def detect_in_boxes(self, image: np.ndarray, boxes: np.ndarray) -> Detections:
        """Finds faces whose boxes, float (N, 4), are roughly known, by O-Net alone."""
        if not len(boxes):
            return nothing()
        squares = _squared(boxes)
        offsets, points, scores = self._onet(_patches(Image.fromarray(image), squares, 48))
        # The points are fractions of the square's side: five x, then five y.
        sides = (squares[:, 2] - squares[:, 0])[:, np.newaxis]
        x, y = squares[:, :1] + sides * points[:, :5], squares[:, 1:2] + sides * points[:, 5:]
        corrected, scores = _corrected(squares, offsets), scores[:, 1]
        found = np.flatnonzero(scores > LEAST_CONFIDENCE)
        # Over the smaller area: a box within another one is the same face.
        found = found[distinct(corrected[found], scores[found], 0.7, of_smaller=True)]
        return Detections(corrected[found], np.stack([x, y], axis=2)[found], scores[found])

    def _proposals(self, image: Image.Image) -> np.ndarray:
        """The boxes (N, 4) that P-Net proposes, at all scales, in pixels of `image`."""
        proposed: list[np.ndarray] = []
        # Faces of `SMALLEST_FACE` pixels fill a window of P-Net at the first scale, larger ones later.
        scale = _CELL / SMALLEST_FACE
        while min(image.size) * scale >= _CELL:
            smaller = _scaled(image, scale)
            # A map of offsets and one of scores, with a place for each window.
            offsets, scores = self._pnet(_normal(np.asarray(smaller)[np.newaxis]))
            scores = scores[0, ..., 1]
            row, column = np.nonzero(scores > _PROPOSED)
            # The window at a place of the map, its edges corrected by offsets in parts of its side.
            corner = _STRIDE * np.stack([column, row, column, row], axis=1).astype(np.float64)
            boxes = corner + [0, 0, _CELL, _CELL] + _CELL * offsets[0, row, column]
            confidences = scores[row, column]
            # Neighboring windows see the same face: first merged within the scale ...
            best = distinct(boxes, confidences, 0.5)[:_MOST_AT_A_SCALE]
            proposed.append(np.column_stack([boxes[best] / scale, confidences[best]]))
            scale *= _STEP
        if not proposed:
            return np.empty((0, 4))
        # ... then over all scales.
        everywhere = np.concatenate(proposed)
        return everywhere[distinct(everywhere[:, :4], everywhere[:, 4], 0.7)[:_MOST_PROPOSED], :4]


def _weighted(network: Any, name: str) -> Any:
    """Loads the weights that the package brings into a network.

    The package itself would prefer a file of that name in the current folder to its own, and run what
    is pickled in it; on Python 3.13 it also leaves warnings behind as it closes its file.
    """
    packed = (files("mtcnn.assets.weights") / f"{name}.lz4").read_bytes()
    network.build()
    network.set_weights(joblib.load(io.BytesIO(lz4.frame.decompress(packed))))
    return network


def _traced(network: tf.keras.Model, side: int | None) -> Callable[[np.ndarray], list[np.ndarray]]:
    """Traces a network as a graph for any number of inputs; eager calls take longer."""
    graph = tf.function(network, input_signature=[tf.TensorSpec((None, side, side, 3), tf.float32)])

    def predict(inputs: np.ndarray) -> list[np.ndarray]:
        batches = range(0, len(inputs), _BATCH)
        outputs = [graph(inputs[start : start + _BATCH]) for start in batches]
        return [np.concatenate(output).astype(np.float64) for output in zip(*outputs, strict=True)]

    return predict


def _normal(pixels: np.ndarray) -> np.ndarray:
    """Scales gray levels to -1 to 1, as the networks were trained."""
    return (pixels.astype(np.float32) - _MIDDLE) / _SPAN


def _scaled(image: Image.Image, scale: float) -> Image.Image:
    """Resizes an image, to no less than a window of P-Net."""
    if scale == 1:
        return image
    width, height = image.size
    size = max(_CELL, round(width * scale)), max(_CELL, round(height * scale))
    return image.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)


def _patches(image: Image.Image, boxes: np.ndarray, side: int) -> np.ndarray:
    """Crops the squares around boxes: float32 (N, side, side, 3), black outside of the image."""
    squares = _squared(boxes).round().astype(int).tolist()
    taken = [
        np.asarray(image.crop(square).resize((side, side), Image.Resampling.BILINEAR))
        for square in squares
    ]
    return _normal(np.stack(taken))


def _squared(boxes: np.ndarray) -> np.ndarray:
    """Squares with the same centers, as large as the longer sides: the networks take squares."""
    centers = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = np.maximum((boxes[:, 2:] - boxes[:, :2]).max(axis=1, keepdims=True), 1) / 2
    return np.concatenate([centers - half, centers + half], axis=1)


def _corrected(boxes: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Moves the edges of the squares around boxes by offsets (N, 4), in parts of the side."""
    squares = _squared(boxes)
    return squares + offsets * (squares[:, 2:3] - squares[:, :1])
