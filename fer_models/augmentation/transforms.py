"""Moves faces a little, or erases a part, each in its own way, inside of TensorFlow's graphs."""

from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from fer_data.core.schema import FACE_SIZE

_SMALLEST_ERASED, _LARGEST_ERASED = 0.2, 0.5  # sides of what is erased, as parts of the face's
_GREY = 128.0


@dataclass(frozen=True)
class Moves:
    """How far faces are moved at most."""

    shift: float
    """Along each axis, in pixels of the 48x48 face."""
    rotation: float
    """In radians, either way."""
    zoom: float
    """The change of scale, either way, as a fraction of 1."""
    mirror: bool = True
    """Whether half of them are mirrored."""


def moved(faces: tf.Tensor, seed: tf.Tensor, *, size: int, moves: Moves) -> tf.Tensor:
    """Mirrors half of the faces, shifts, turns and zooms all of them, and scales them to `size`.

    What lies outside of a face is its nearest edge. Bilinear, without antialiasing.

    Args:
        faces: float32 (B, 48, 48, 1).
        seed: int (2,): the same moves for the same seed, whatever ran before.
        size: Height and width of the result, in pixels.
        moves: How far faces are moved at most, and whether they are mirrored.

    Returns:
        float32 (B, size, size, 1).
    """
    num_faces = tf.shape(faces)[0]
    draws = tf.random.stateless_uniform(tf.stack([5, num_faces]), seed, -1.0, 1.0)
    mirror = tf.where(draws[4] > 0, 1.0, -1.0 if moves.mirror else 1.0)
    scale, angle = 1 + moves.zoom * draws[1], moves.rotation * draws[0]
    cosine, sine = scale * tf.cos(angle), scale * tf.sin(angle)
    pitch = FACE_SIZE / size  # pixels of the face to a pixel of the result
    middle, result_middle = (FACE_SIZE - 1) / 2, (size - 1) / 2
    # Each pixel (x, y) of the result comes from (a x + b y + c, d x + e y + f) of the face.
    a, b, d, e = pitch * mirror * cosine, -pitch * sine, pitch * mirror * sine, pitch * cosine
    c = middle + moves.shift * draws[2] - (a + b) * result_middle
    f = middle + moves.shift * draws[3] - (d + e) * result_middle
    flat = tf.zeros_like(a)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=faces,
        transforms=tf.stack([a, b, c, d, e, f, flat, flat], axis=1),
        output_shape=[size, size],
        interpolation="BILINEAR",
        fill_mode="NEAREST",
        fill_value=0.0,
    )


def erased(faces: tf.Tensor, seed: tf.Tensor, *, fraction: float) -> tf.Tensor:
    """Makes a rectangle of some of the faces grey (random erasing: Zhong et al., 2020).

    Its sides are a fifth to a half of the face's, its middle may be any pixel: corners, of which less is
    left to erase, go a quarter as often as the middle.

    Args:
        faces: float32 (B, 48, 48, 1).
        seed: int (2,): the same rectangles for the same seed, whatever ran before.
        fraction: The part of the faces, 0 to 1, that lose something, on average.

    Returns:
        float32 (B, 48, 48, 1).
    """
    shape = tf.stack([5, tf.shape(faces)[0], 1])
    chance, *rows_and_columns = tf.unstack(tf.random.stateless_uniform(shape, seed))
    pixels = tf.range(FACE_SIZE, dtype=tf.float32)[tf.newaxis]
    within = []
    for length, place in (rows_and_columns[:2], rows_and_columns[2:]):
        side = FACE_SIZE * (_SMALLEST_ERASED + length * (_LARGEST_ERASED - _SMALLEST_ERASED))
        start = FACE_SIZE * place - side / 2
        within.append((pixels >= start) & (pixels < start + side))
    rows, columns = within[0][:, :, tf.newaxis], within[1][:, tf.newaxis, :]
    gone = rows & columns & (chance < fraction)[:, :, tf.newaxis]
    return tf.where(gone[..., tf.newaxis], _GREY, faces)


def as_smooth_as_moved(grey: Any) -> Any:
    """Smooths faces by 1, 10, 1 twelfths along each axis: as much as `moved` does it on average.

    Bilinear interpolation a part p of a pixel away has the variance p (1 - p): over all p, a sixth. A
    network that learned from moved faces reads sharper ones worse (a discrepancy as in Touvron et al.,
    2019, "Fixing the train-test resolution discrepancy").

    Args:
        grey: float32 (N, height, width, 1), or an input of a model: layers of Keras do it.

    Returns:
        The same shape.
    """
    layers = keras.layers
    for axis, window in (("rows", (3, 1)), ("columns", (1, 3))):
        mean = layers.AveragePooling2D(window, strides=1, padding="same", dtype="float32")(grey)
        three_quarters = layers.Rescaling(0.75, dtype="float32")(grey)
        quarter = layers.Rescaling(0.25, dtype="float32")(mean)
        grey = layers.Add(dtype="float32", name=f"smooth_{axis}")([three_quarters, quarter])
    return grey
