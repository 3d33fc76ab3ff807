"""Moves faces a little, each in its own way, in one operation: for training batches inside `tf.data`."""

import tensorflow as tf

from fer_data.schema import FACE_SIZE


def moved(
    faces: tf.Tensor, seed: tf.Tensor, *, size: int, shift: float, rotation: float, zoom: float
) -> tf.Tensor:
    """Mirrors half of the faces, shifts, turns and zooms all of them, and scales them to `size`.

    What lies outside of a face is its nearest edge. Bilinear, without antialiasing.

    Args:
        faces: float32 (B, 48, 48, 1).
        seed: int (2,): the same moves for the same seed, whatever ran before.
        size: Height and width of the result, in pixels.
        shift: The largest shift along each axis, in pixels of the 48x48 face.
        rotation: The largest rotation, in radians, either way.
        zoom: The largest change of scale, either way, as a fraction of 1.

    Returns:
        float32 (B, size, size, 1).
    """
    num_faces = tf.shape(faces)[0]
    draws = tf.random.stateless_uniform(tf.stack([5, num_faces]), seed, -1.0, 1.0)
    mirror = tf.where(draws[4] > 0, 1.0, -1.0)
    scale = 1 + zoom * draws[1]
    cosine, sine = scale * tf.cos(rotation * draws[0]), scale * tf.sin(rotation * draws[0])
    pitch = FACE_SIZE / size  # pixels of the face to a pixel of the result
    middle, result_middle = (FACE_SIZE - 1) / 2, (size - 1) / 2
    # Each pixel (x, y) of the result comes from (a x + b y + c, d x + e y + f) of the face.
    a, b, d, e = pitch * mirror * cosine, -pitch * sine, pitch * mirror * sine, pitch * cosine
    c = middle + shift * draws[2] - (a + b) * result_middle
    f = middle + shift * draws[3] - (d + e) * result_middle
    flat = tf.zeros_like(a)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=faces,
        transforms=tf.stack([a, b, c, d, e, f, flat, flat], axis=1),
        output_shape=[size, size],
        interpolation="BILINEAR",
        fill_mode="NEAREST",
        fill_value=0.0,
    )
