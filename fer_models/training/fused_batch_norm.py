"""Batch normalization by TensorFlow's fused operation in training, in place of Keras' dozen operations.

Keras reduces, subtracts, multiplies and casts maps one after another, and reads all of them from memory
each time. The operation of TensorFlow does it at once, in the precision of the maps: a training step of
`compact` in bfloat16 takes a sixth less of a processor.
"""

from typing import Any

import keras
import tensorflow as tf


class FusedNormalization(keras.layers.Layer):
    """Fused batch normalization of maps (B, H, W, C); it shares the variables of a Keras layer.

    Its moving variance gets the unbiased variance of a batch (Ioffe and Szegedy, 2015, algorithm 2),
    that of Keras the biased one: a part in B x H x W less.
    """

    def __init__(self, norm: keras.layers.BatchNormalization, **layer: Any) -> None:
        """Wraps a layer.

        Args:
            norm: The layer, built, with scale and offset, over the last axis.
            **layer: What Keras' layers take.
        """
        super().__init__(name=norm.name, dtype=norm.dtype_policy, **layer)
        self.norm = norm

    def call(self, maps: tf.Tensor, *, training: bool = False, **_: None) -> tf.Tensor:
        """Normalizes by the batch's mean and variance in training, else as the layer itself does."""
        norm = self.norm
        if not (training and norm.trainable):
            return norm(maps, training=False)
        # Normalizes the maps, and gives the mean and variance of the batch.
        of_batch = tf.raw_ops.FusedBatchNormV3(
            x=maps,
            scale=tf.convert_to_tensor(norm.gamma.value),
            offset=tf.convert_to_tensor(norm.beta.value),
            mean=tf.zeros([0]),
            variance=tf.zeros([0]),
            epsilon=norm.epsilon,
            is_training=True,
        )
        # Exponential moving averages, for inference.
        for moving, now in (
            (norm.moving_mean, of_batch.batch_mean),
            (norm.moving_variance, of_batch.batch_variance),
        ):
            moving.assign(moving * norm.momentum + now * (1 - norm.momentum))
        return of_batch.y

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The shape of the maps."""
        return input_shape


def fused(network: keras.Model) -> keras.Model:
    """Clones a model: the same variables, its batch normalizations of maps replaced by fused ones."""

    def layer_for(layer: keras.layers.Layer) -> keras.layers.Layer:
        if isinstance(layer, keras.layers.BatchNormalization) and len(layer.input.shape) == 4:
            return FusedNormalization(layer)
        return layer

    return keras.models.clone_model(network, clone_function=layer_for)
