"""The detector: an image goes in, the boxes, eyes and mouths of its faces come out.

It is the cascade of Zhang et al., Joint Face Detection and Alignment Using Multitask Cascaded
Convolutional Networks (2016): one network proposes boxes at all scales, a second sorts them out, a third
places them and finds five points. Weights and networks are those of the package `mtcnn`. The way through
them is our own: the package's takes three times as long (`benchmarks/detector.py`), says "no face" where
its scales run below a network's input, as they do for large smallest faces, and cannot follow a face.
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
"""Side, in pixels of the reduced image, of the smallest face that is looked for."""
LEAST_CONFIDENCE = 0.3
"""What a detection needs, 0 to 1; who shows faces asks for more."""

_CELL, _STRIDE, _STEP = 12, 2, 0.709
_PROPOSED, _SORTED = 0.6, 0.3
_MIDDLE, _SPAN = 127.5, 128.0
# A crowd of 450 faces proposes fewer boxes; without a limit, a hostile image would take minutes.
_MOST_AT_A_SCALE, _MOST_PROPOSED = 1000, 2000
_BATCH = 300
"""Boxes that a network is asked about at once: 1,000 would take 400 MB more."""


class Cascade:
    """The three networks, traced once."""

    def __init__(self) -> None:
        """Loads the weights."""
        self._propose = _traced(_weighted(PNet(), "pnet"), None)
        self._sort = _traced(_weighted(RNet(), "rnet"), 24)
        self._place = _traced(_weighted(ONet(), "onet"), 48)

    def detect(
        self, image: np.ndarray, *, smallest_face: float = 0.0, reduced: float = 1.0
    ) -> Detections:
        """Finds the faces of an image.

        Args:
            image: uint8 (H, W, 3), RGB.
            smallest_face: Side, in pixels, of the smallest face that is looked for; the larger, the
                faster. It is at least `SMALLEST_FACE`, and in large images a fiftieth of the side.
            reduced: A part of the size at which that is done: at other sizes other faces are seen.
        """
        longer = max(image.shape[:2])
        scale = reduced * min(
            1.0, WORKING_SIZE / longer, SMALLEST_FACE / max(smallest_face, SMALLEST_FACE)
        )
        pillow = Image.fromarray(image)
        boxes = self._proposals(_scaled(pillow, scale)) / scale
        if not len(boxes):
            return nothing()
        offsets, scores = self._sort(_patches(pillow, boxes, 24))
        boxes, scores = _moved(boxes, offsets), scores[:, 1]
        boxes, scores = boxes[scores > _SORTED], scores[scores > _SORTED]
        boxes = boxes[distinct(boxes, scores, 0.7)]
        return self.place(image, boxes)

    def place(self, image: np.ndarray, boxes: np.ndarray) -> Detections:
        """Places faces anew whose boxes, float (N, 4), are roughly known; drops what is no face."""
        if not len(boxes):
            return nothing()
        squares = _squared(boxes)
        offsets, points, scores = self._place(_patches(Image.fromarray(image), squares, 48))
        sides = (squares[:, 2] - squares[:, 0])[:, np.newaxis]
        x, y = squares[:, :1] + sides * points[:, :5], squares[:, 1:2] + sides * points[:, 5:]
        placed, scores = _moved(squares, offsets), scores[:, 1]
        kept = np.flatnonzero(scores > LEAST_CONFIDENCE)
        kept = kept[distinct(placed[kept], scores[kept], 0.7, of_smaller=True)]
        return Detections(placed[kept], np.stack([x, y], axis=2)[kept], scores[kept])

    def _proposals(self, image: Image.Image) -> np.ndarray:
        """Boxes (N, 4) that the first network proposes at any scale."""
        found: list[np.ndarray] = []
        scale = _CELL / SMALLEST_FACE
        while min(image.size) * scale >= _CELL:
            smaller = _scaled(image, scale)
            offsets, scores = self._propose(_normal(np.asarray(smaller)[np.newaxis]))
            scores = scores[0, ..., 1]
            row, column = np.nonzero(scores > _PROPOSED)
            corner = _STRIDE * np.stack([column, row, column, row], axis=1).astype(np.float64)
            boxes = corner + [0, 0, _CELL, _CELL] + _CELL * offsets[0, row, column]
            sure = scores[row, column]
            kept = distinct(boxes, sure, 0.5)[:_MOST_AT_A_SCALE]
            found.append(np.column_stack([boxes[kept] / scale, sure[kept]]))
            scale *= _STEP
        if not found:
            return np.empty((0, 4))
        everywhere = np.concatenate(found)
        return everywhere[distinct(everywhere[:, :4], everywhere[:, 4], 0.7)[:_MOST_PROPOSED], :4]


def _weighted(network: Any, name: str) -> Any:
    """A network with the weights that the package brings.

    The package itself would take a file of that name in the current folder before its own, and run what
    is pickled in it; and on Python 3.13 it leaves complaints behind as it closes its file.
    """
    packed = (files("mtcnn.assets.weights") / f"{name}.lz4").read_bytes()
    network.build()
    network.set_weights(joblib.load(io.BytesIO(lz4.frame.decompress(packed))))
    return network


def _traced(network: tf.keras.Model, side: int | None) -> Callable[[np.ndarray], list[np.ndarray]]:
    """The network as a graph for any number of inputs, which eager calls take longer for."""
    graph = tf.function(network, input_signature=[tf.TensorSpec((None, side, side, 3), tf.float32)])

    def ask(inputs: np.ndarray) -> list[np.ndarray]:
        batches = range(0, len(inputs), _BATCH)
        outputs = [graph(inputs[start : start + _BATCH]) for start in batches]
        return [np.concatenate(parts).astype(np.float64) for parts in zip(*outputs, strict=True)]

    return ask


def _normal(pixels: np.ndarray) -> np.ndarray:
    """Grey levels as the networks were trained on them: -1 to 1."""
    return (pixels.astype(np.float32) - _MIDDLE) / _SPAN


def _scaled(image: Image.Image, scale: float) -> Image.Image:
    if scale == 1:
        return image
    width, height = image.size
    size = max(_CELL, round(width * scale)), max(_CELL, round(height * scale))
    return image.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)


def _patches(image: Image.Image, boxes: np.ndarray, side: int) -> np.ndarray:
    """The squares around boxes, float32 (N, side, side, 3); what is outside of the image is black."""
    squares = _squared(boxes).round().astype(int).tolist()
    taken = [
        np.asarray(image.crop(square).resize((side, side), Image.Resampling.BILINEAR))
        for square in squares
    ]
    return _normal(np.stack(taken))


def _squared(boxes: np.ndarray) -> np.ndarray:
    """Squares with the same middles, as large as the longer sides."""
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = np.maximum((boxes[:, 2:] - boxes[:, :2]).max(axis=1, keepdims=True), 1) / 2
    return np.concatenate([middles - half, middles + half], axis=1)


def _moved(boxes: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """The squares around boxes, their edges moved by offsets (N, 4), in parts of the side."""
    squares = _squared(boxes)
    return squares + offsets * (squares[:, 2:3] - squares[:, :1])
