"""Random affine maps, random erasing and interpolation blur of faces, inside of TensorFlow's graphs."""

from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from fer_data.core.schema import FACE_SIZE

_SMALLEST_SIDE, _LARGEST_SIDE = 0.2, 0.5  # of an erased rectangle, as parts of the face's
_GREY = 128.0


@dataclass(frozen=True)
class AffineLimits:
    """The limits of a random affine map."""

    translation: float
    """Along each axis, either way, in pixels of the 48x48 face."""
    rotation: float
    """In radians, either way."""
    zoom: float
    """The change of scale, either way, as a fraction of 1."""
    horizontal_flip: bool = True
    """Whether half of the faces are flipped horizontally."""


def random_affine(faces: tf.Tensor, seed: tf.Tensor, *, limits: AffineLimits) -> tf.Tensor:
    """Flips half of the faces, and translates, rotates and zooms all of them.

    All in one bilinear interpolation, without antialiasing; pixels outside of a face repeat its edge.

    Args:
        faces: float32 (B, 48, 48, 1).
        seed: int (2,): the same maps for the same seed, whatever ran before.
        limits: The largest translation, rotation and zoom, and whether faces are flipped.

    Returns:
        float32 (B, 48, 48, 1).
    """
    num_faces = tf.shape(faces)[0]
    # Five numbers a face, from -1 to 1: rotation, zoom, translation along x and y, flip.
    draws = tf.random.stateless_uniform(tf.stack([5, num_faces]), seed, -1.0, 1.0)
    sign = tf.where(draws[4] > 0, 1.0, -1.0 if limits.horizontal_flip else 1.0)
    scale, angle = 1 + limits.zoom * draws[1], limits.rotation * draws[0]
    cosine, sine = scale * tf.cos(angle), scale * tf.sin(angle)
    middle = (FACE_SIZE - 1) / 2
    # The operation wants the map from the result back to the face: the pixel (x, y) of the result is
    # interpolated at (a x + b y + c, d x + e y + f) of the face.
    # Its linear part is zoom and rotation times the flip of x:
    #     [a b]   [cos  -sin]   [sign 0]
    #     [d e] = [sin   cos] * [0    1], cos and sin times the scale.
    a, b, d, e = sign * cosine, -sine, sign * sine, cosine
    # c and f send the center of the result to the center of the face, translated: so rotation, zoom and
    # flip are around the center.
    c = middle + limits.translation * draws[2] - (a + b) * middle
    f = middle + limits.translation * draws[3] - (d + e) * middle
    flat = tf.zeros_like(a)  # the last two of a projective map's eight numbers: no perspective
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=faces,
        transforms=tf.stack([a, b, c, d, e, f, flat, flat], axis=1),
        output_shape=[FACE_SIZE, FACE_SIZE],
        interpolation="BILINEAR",
        fill_mode="NEAREST",
        fill_value=0.0,
    )


def random_erasing(faces: tf.Tensor, seed: tf.Tensor, *, fraction: float) -> tf.Tensor:
    """Fills a rectangle of some of the faces with gray (random erasing: Zhong et al., 2020).

    Its sides are a fifth to a half of the face's. Its center may be any pixel, so that the rectangle
    can reach beyond the face: corners are erased a quarter as often as the center.

    Args:
        faces: float32 (B, 48, 48, 1).
        seed: int (2,): the same rectangles for the same seed, whatever ran before.
        fraction: The fraction of the faces, 0 to 1, that lose a rectangle, on average.

    Returns:
        float32 (B, 48, 48, 1).
    """
    # Five numbers a face, from 0 to 1: whether it loses a rectangle; height and row, width and column.
    shape = tf.stack([5, tf.shape(faces)[0], 1])
    chance, *rows_and_columns = tf.unstack(tf.random.stateless_uniform(shape, seed))
    pixels = tf.range(FACE_SIZE, dtype=tf.float32)[tf.newaxis]
    within = []
    for length, place in (rows_and_columns[:2], rows_and_columns[2:]):
        side = FACE_SIZE * (_SMALLEST_SIDE + length * (_LARGEST_SIDE - _SMALLEST_SIDE))
        start = FACE_SIZE * place - side / 2
        # (B, 48): the rows, and then the columns, of the rectangle.
        within.append((pixels >= start) & (pixels < start + side))
    rows, columns = within[0][:, :, tf.newaxis], within[1][:, tf.newaxis, :]
    inside = rows & columns & (chance < fraction)[:, :, tf.newaxis]
    return tf.where(inside[..., tf.newaxis], _GREY, faces)


def interpolation_blur(gray: Any) -> Any:
    """Blurs faces as much as the interpolation of `random_affine` does on average.

    A network that was trained on interpolated faces is less accurate on sharper ones (a discrepancy as
    in Touvron et al., 2019, "Fixing the train-test resolution discrepancy"). Bilinear interpolation at a
    fraction p between two pixels is a kernel of weights 1 - p and p, of variance p (1 - p): a sixth, on
    average over p. The kernel (1, 10, 1) / 12 along each axis has that variance.

    Args:
        gray: float32 (N, height, width, 1), or an input of a model: layers of Keras do it.

    Returns:
        The same shape.
    """
    layers = keras.layers
    # (1, 10, 1) / 12 is 3/4 of the pixel plus 1/4 of the mean of three. The mean of a pooling leaves
    # padding out, so that edges get no darker.
    for axis, window in (("rows", (3, 1)), ("columns", (1, 3))):
        mean = layers.AveragePooling2D(window, strides=1, padding="same", dtype="float32")(gray)
        three_quarters = layers.Rescaling(0.75, dtype="float32")(gray)
        quarter = layers.Rescaling(0.25, dtype="float32")(mean)
        gray = layers.Add(dtype="float32", name=f"smooth_{axis}")([three_quarters, quarter])
    return gray
