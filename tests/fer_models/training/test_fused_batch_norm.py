"""Fused batch normalizations beside those of Keras, whose variables they share."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from fer_models.augmentation.layers import NETWORK
from fer_models.training.fused_batch_norm import FusedNormalization, fused
from tests.support.models.small_networks import build

MAPS = np.random.default_rng(0).normal(3.0, 2.0, (16, 6, 6, 4)).astype(np.float32)
NUM_VALUES = 16 * 6 * 6
"""Of a channel."""


def network_of(policy: str = "float32") -> keras.Model:
    keras.utils.set_random_seed(0)
    layers = keras.layers
    maps = keras.Input((None, None, 4))
    normalized = layers.BatchNormalization(momentum=0.8, dtype=policy)(maps)
    features = layers.GlobalAveragePooling2D(dtype=policy)(layers.ReLU(dtype=policy)(normalized))
    features = layers.BatchNormalization(dtype=policy)(
        layers.Dense(5, use_bias=False, dtype=policy)(features)
    )
    return keras.Model(maps, layers.Dense(3, "softmax", dtype="float32")(features))


def stepped(network: keras.Model, part: keras.Model) -> tuple[np.ndarray, list, list]:
    """What a part answers in training, the gradients, and the network's values after it."""
    with tf.GradientTape() as tape:
        answers = part(MAPS, training=True)
        loss = tf.reduce_mean(tf.math.log(answers[:, 0]))
    gradients = tape.gradient(loss, [v.value for v in part.trainable_variables])
    return answers.numpy(), [np.asarray(one) for one in gradients], network.get_weights()


@pytest.mark.parametrize(("policy", "rtol"), [("float32", 1e-4), ("mixed_bfloat16", 0.03)])
def test_it_trains_as_the_layers_that_it_takes_up(policy: str, rtol: float) -> None:
    of_keras, of_tensorflow = network_of(policy), network_of(policy)
    quick = fused(of_tensorflow)
    assert sum(isinstance(layer, FusedNormalization) for layer in quick.layers) == 1  # of maps
    expected, found = stepped(of_keras, of_keras), stepped(of_tensorflow, quick)
    assert np.abs(expected[0] - 1 / 3).max() > 0.01
    np.testing.assert_allclose(found[0], expected[0], rtol=rtol)
    for one, other in zip(found[1], expected[1], strict=True):
        np.testing.assert_allclose(one, other, rtol=rtol, atol=rtol * np.abs(other).max())
    for one, other in zip(found[2], expected[2], strict=True):
        np.testing.assert_allclose(one, other, rtol=max(rtol, 1 / NUM_VALUES))


def test_moving_values_are_those_of_a_batch_without_bias() -> None:
    network = network_of()
    fused(network)(MAPS, training=True)
    norm = network.layers[1]
    channels = MAPS.reshape(-1, 4)
    np.testing.assert_allclose(norm.moving_mean, 0.2 * channels.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(
        norm.moving_variance, 0.8 + 0.2 * channels.var(axis=0, ddof=1), rtol=1e-5
    )


def test_its_answers_and_frozen_layers_are_those_of_keras() -> None:
    network = network_of()
    quick = fused(network)
    quick(MAPS, training=True)
    np.testing.assert_array_equal(quick(MAPS, training=False), network(MAPS, training=False))
    for layer in network.layers:
        layer.trainable = False
    before = network.get_weights()
    np.testing.assert_array_equal(quick(MAPS, training=True), network(MAPS, training=False))
    for value, as_before in zip(network.get_weights(), before, strict=True):
        np.testing.assert_array_equal(value, as_before)


def test_a_model_is_saved_with_the_layers_of_keras(tmp_path: Path) -> None:
    model = build("compact", filters=[4, 8])
    network = model.get_layer(NETWORK)
    quick = fused(network)
    assert [v.path for v in quick.trainable_variables] == [
        v.path for v in network.trainable_variables
    ]
    faces = np.random.default_rng(0).integers(0, 256, (8, 48, 48, 1), np.uint8)
    quick(faces.astype(np.float32), training=True)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert not any(
        isinstance(layer, FusedNormalization) for layer in loaded.get_layer(NETWORK).layers
    )
    np.testing.assert_allclose(loaded(faces), model(faces), rtol=1e-5)
