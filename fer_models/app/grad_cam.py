"""Computes Grad-CAM heat maps: the places of a face that raise an expression's probability.

Selvaraju et al., Grad-CAM (2017), section 3: the last feature maps, each weighted by how much it moves
the expression's logarithmic probability on average, summed, and what speaks against it cut off.
"""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from fer_data.core.schema import FACE_SIZE

_LEAST_CELLS = 3  # a side; fewer show no place within the face


def heat_map(model: keras.Model, face: np.ndarray, expression: int) -> np.ndarray | None:
    """Computes the Grad-CAM heat map of a face for an expression.

    Args:
        model: From uint8 faces (N, 48, 48, 1) to probabilities (N, K).
        face: uint8 (48, 48).
        expression: Its number, 0 to K - 1.

    Returns:
        float32 (48, 48), 0 to 1, all 0 where nothing spoke for it; of an ensemble the mean of its
        members' maps. None where the feature maps are too small to show a place.
    """
    halves = _halves(model)
    if halves is not None:
        return _map_of(*halves, face, expression)
    members = [layer for layer in model.layers if isinstance(layer, keras.Model)]
    maps = [heat_map(member, face, expression) for member in members]
    shown = [one for one in maps if one is not None]
    return np.stack(shown).mean(axis=0) if shown else None


def _halves(model: keras.Model) -> tuple[keras.Model, keras.Model] | None:
    """The model up to its last feature maps, and from there on, where a layer makes numbers of them."""
    for layer in reversed(model.layers):
        if isinstance(layer, keras.layers.Flatten | keras.layers.GlobalAveragePooling2D):
            # Its input, and not the output of what comes before, which may be a nested network.
            maps: Any = layer.input
            return keras.Model(model.inputs[0], maps), keras.Model(maps, model.outputs[0])
    return None


def _map_of(
    eyes: keras.Model, mind: keras.Model, face: np.ndarray, expression: int
) -> np.ndarray | None:
    # 1. The last feature maps of the face.
    maps: Any = eyes(face[np.newaxis, ..., np.newaxis], training=False)  # (1, h, w, C)
    if min(maps.shape[1:3]) < _LEAST_CELLS:
        return None
    # 2. The gradient of the log-probability by each value of the maps.
    with tf.GradientTape() as tape:
        tape.watch(maps)
        probabilities: Any = mind(maps, training=False)
        score = tf.math.log(probabilities[0, expression] + keras.config.epsilon())
    # 3. A map weighs as much as it raises the log-probability on average.
    weights = tf.reduce_mean(tape.gradient(score, maps), axis=(1, 2), keepdims=True)  # (1, 1, 1, C)
    # 4. The weighted sum, without what speaks against the expression, at the face's size, up to 1.
    spoke_for = tf.nn.relu(tf.reduce_sum(weights * maps, axis=-1, keepdims=True))  # (1, h, w, 1)
    large = tf.image.resize(spoke_for, (FACE_SIZE, FACE_SIZE)).numpy()[0, ..., 0]
    return (large / max(large.max(), np.finfo(np.float32).tiny)).astype(np.float32)
