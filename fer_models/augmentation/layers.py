"""Keras layers that augment the faces of a training batch, in the graph, on the training device.

They are active in training alone, and stand before a model, never in it: a saved model needs nothing but
Keras. Their random numbers come from seed generators, whose states are part of a checkpoint.
"""

import math
from abc import ABC, abstractmethod
from typing import Any

import keras
import tensorflow as tf

from fer_data.core.schema import FACE_SIZE
from fer_models.augmentation.transforms import AffineLimits, random_affine, random_erasing

NETWORK = "network"
"""The name of the layer of a model that is trained in its place, and takes faces of any size."""

SHRINKING = "shrinking"
"""The name of the layer that resizes faces for it (progressive resizing)."""


class _RandomLayer(keras.layers.Layer, ABC):
    """Augments uint8 faces (B, 48, 48, 1) in training, each at random."""

    def __init__(self, *, seed: int, **layer: Any) -> None:
        super().__init__(trainable=False, dtype="uint8", **layer)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.supports_jit = False  # ImageProjectiveTransformV3 is not compiled by XLA

    def call(self, faces: tf.Tensor, *, training: bool = False) -> tf.Tensor:
        """Augments the faces in training; returns them as they are otherwise."""
        if not training:
            return faces
        draw = tf.cast(self.seed_generator.next(), tf.int32)
        replica = tf.distribute.get_replica_context()
        if replica is not None and replica.num_replicas_in_sync > 1:
            # The generators of all devices have the same state: each device needs numbers of its own.
            draw = _another(draw, replica.replica_id_in_sync_group)
        augmented = self.augment(tf.cast(faces, tf.float32), draw)
        return tf.cast(tf.round(tf.clip_by_value(augmented, 0, 255)), tf.uint8)

    @abstractmethod
    def augment(self, faces: tf.Tensor, draw: tf.Tensor) -> tf.Tensor:
        """Augments gray levels, float32 (B, 48, 48, 1); `draw` is the seed, int32 (2,)."""

    def get_config(self) -> dict[str, Any]:
        """The arguments of an equal layer."""
        config = {**super().get_config(), "seed": self.seed}
        config.pop("trainable")
        config.pop("dtype")
        return config


@keras.saving.register_keras_serializable("ferflow")
class Augmentation(_RandomLayer):
    """Random horizontal flip, affine map, contrast and erasing of faces, in this order."""

    def __init__(
        self,
        *,
        horizontal_flip: bool = False,
        rotation_degrees: float = 0.0,
        translation_fraction: float = 0.0,
        zoom_fraction: float = 0.0,
        contrast_fraction: float = 0.0,
        random_erasing_fraction: float = 0.0,
        **layer: Any,
    ) -> None:
        """Stores the limits, as `AugmentationSettings` documents them.

        Args:
            horizontal_flip: Whether half of the faces are flipped horizontally.
            rotation_degrees: The largest rotation, either way.
            translation_fraction: The largest translation along each axis, as a fraction of the face.
            zoom_fraction: The largest change of scale, either way, as a fraction of it.
            contrast_fraction: The largest change of contrast around a face's mean, either way.
            random_erasing_fraction: The fraction of the faces that lose a rectangle.
            **layer: `seed`, and what Keras' layers take.
        """
        super().__init__(**layer)
        self.limits = {
            "horizontal_flip": horizontal_flip,
            "rotation_degrees": rotation_degrees,
            "translation_fraction": translation_fraction,
            "zoom_fraction": zoom_fraction,
            "contrast_fraction": contrast_fraction,
            "random_erasing_fraction": random_erasing_fraction,
        }

    def augment(self, faces: tf.Tensor, draw: tf.Tensor) -> tf.Tensor:
        """Maps the faces, changes their contrast, and erases a rectangle of some."""
        limits = self.limits
        affine = AffineLimits(
            translation=limits["translation_fraction"] * FACE_SIZE,
            rotation=math.radians(limits["rotation_degrees"]),
            zoom=limits["zoom_fraction"],
            horizontal_flip=bool(limits["horizontal_flip"]),
        )
        faces = random_affine(faces, draw, limits=affine)
        limit = limits["contrast_fraction"]
        if limit:
            # Gray levels are stretched around the mean of each face.
            shape = tf.stack([tf.shape(faces)[0], 1, 1, 1])
            contrast = tf.random.stateless_uniform(shape, _another(draw, -1), -limit, limit)
            mean = tf.reduce_mean(faces, axis=(1, 2, 3), keepdims=True)
            faces = mean + (1 + contrast) * (faces - mean)
        if limits["random_erasing_fraction"]:
            faces = random_erasing(
                faces, _another(draw, -2), fraction=limits["random_erasing_fraction"]
            )
        return faces

    def get_config(self) -> dict[str, Any]:
        """The arguments of an equal layer."""
        return {**super().get_config(), **self.limits}


@keras.saving.register_keras_serializable("ferflow")
class SaltAndPepper(_RandomLayer):
    """Salt-and-pepper noise: turns a fraction of the pixels black or white, each equally likely."""

    def __init__(self, *, fraction: float, **layer: Any) -> None:
        """Stores the fraction.

        Args:
            fraction: The fraction of the pixels that are replaced, 0 to 1, on average.
            **layer: `seed`, and what Keras' layers take.
        """
        super().__init__(**layer)
        self.fraction = fraction

    def augment(self, faces: tf.Tensor, draw: tf.Tensor) -> tf.Tensor:
        """Adds salt and pepper."""
        # One uniform number a pixel: the lowest become pepper, the highest salt.
        chance = tf.random.stateless_uniform(tf.shape(faces), draw)
        with_pepper = tf.where(chance < self.fraction / 2, 0.0, faces)
        return tf.where(chance > 1 - self.fraction / 2, 255.0, with_pepper)

    def get_config(self) -> dict[str, Any]:
        """The arguments of an equal layer."""
        return {**super().get_config(), "fraction": self.fraction}


@keras.saving.register_keras_serializable("ferflow")
class Shrinking(keras.layers.Layer):
    """Progressive resizing: resizes faces to a smaller size in training while `active` is 1."""

    def __init__(self, *, size: int, **layer: Any) -> None:
        """Stores the size; the layer starts active.

        Args:
            size: Height and width of small faces, in pixels.
            **layer: What Keras' layers take.
        """
        super().__init__(trainable=False, dtype="float32", **layer)
        self.size = size
        self.active = self.add_weight(name="active", dtype="int32", initializer="ones")

    def call(self, faces: tf.Tensor, *, training: bool = False) -> tf.Tensor:
        """Resizes uint8 faces (B, 48, 48, 1) to float32 (B, size, size, 1); casts them otherwise."""
        gray = tf.cast(faces, tf.float32)
        if not training:
            return gray
        size = tf.where(self.active > 0, self.size, FACE_SIZE)
        return tf.image.resize(gray, tf.stack([size, size]))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The shape, with any height and width."""
        return (input_shape[0], None, None, input_shape[3])

    def get_config(self) -> dict[str, Any]:
        """The arguments of an equal layer."""
        config = {**super().get_config(), "size": self.size}
        config.pop("trainable")
        config.pop("dtype")
        return config


def _another(draw: tf.Tensor, number: tf.Tensor | int) -> tf.Tensor:
    """Derives another seed, int32 (2,), for each number."""
    return draw + tf.stack([1_000_003 * tf.cast(number, tf.int32), 0])
