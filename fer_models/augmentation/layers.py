"""Layers of ours that change the faces of a training batch, in the graph, on the device that trains.

They are active in training alone, and stand before a model, never in it: a saved model needs nothing but
Keras. Their draws come from seed generators, whose states a checkpoint keeps.
"""

import math
from abc import ABC, abstractmethod
from typing import Any

import keras
import tensorflow as tf

from fer_data.core.schema import FACE_SIZE
from fer_models.augmentation.transforms import Moves, erased, moved

NETWORK = "network"
"""The name of a model's layer that is trained in its stead, and takes faces of any size."""

SHRINKING = "shrinking"
"""The name of the layer that shows it small faces first."""


class _Noise(keras.layers.Layer, ABC):
    """Changes uint8 faces (B, 48, 48, 1) in training, each in a way of its own."""

    def __init__(self, *, seed: int, **layer: Any) -> None:
        super().__init__(trainable=False, dtype="uint8", **layer)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.supports_jit = False  # ImageProjectiveTransformV3 is not compiled by XLA

    def call(self, faces: tf.Tensor, *, training: bool = False) -> tf.Tensor:
        """The faces, changed in training."""
        if not training:
            return faces
        draw = tf.cast(self.seed_generator.next(), tf.int32)
        replica = tf.distribute.get_replica_context()
        if replica is not None and replica.num_replicas_in_sync > 1:
            draw = _another(draw, replica.replica_id_in_sync_group)
        changed = self.changed(tf.cast(faces, tf.float32), draw)
        return tf.cast(tf.round(tf.clip_by_value(changed, 0, 255)), tf.uint8)

    @abstractmethod
    def changed(self, faces: tf.Tensor, draw: tf.Tensor) -> tf.Tensor:
        """Grey levels float32 (B, 48, 48, 1), changed as an int (2,) seed draws it."""

    def get_config(self) -> dict[str, Any]:
        """What makes an equal layer."""
        config = {**super().get_config(), "seed": self.seed}
        config.pop("trainable")
        config.pop("dtype")
        return config


@keras.saving.register_keras_serializable("ferflow")
class Augmentation(_Noise):
    """Mirrors, turns, shifts, zooms faces and changes their contrast.

    What lies outside of a face is its nearest edge.
    """

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
        """Keeps the limits; `AugmentationSettings` documents each.

        Args:
            horizontal_flip: Whether half of the faces are mirrored.
            rotation_degrees: The largest rotation, either way.
            translation_fraction: The largest shift along each axis, as a part of the face.
            zoom_fraction: The largest change of scale, either way, as a part of it.
            contrast_fraction: The largest change of contrast around a face's mean, either way.
            random_erasing_fraction: The part of the faces that lose a rectangle.
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

    def changed(self, faces: tf.Tensor, draw: tf.Tensor) -> tf.Tensor:
        """The moved faces, with another contrast, some without a part of them."""
        limits = self.limits
        moves = Moves(
            shift=limits["translation_fraction"] * FACE_SIZE,
            rotation=math.radians(limits["rotation_degrees"]),
            zoom=limits["zoom_fraction"],
            mirror=bool(limits["horizontal_flip"]),
        )
        faces = moved(faces, draw, size=FACE_SIZE, moves=moves)
        limit = limits["contrast_fraction"]
        if limit:
            shape = tf.stack([tf.shape(faces)[0], 1, 1, 1])
            contrast = tf.random.stateless_uniform(shape, _another(draw, -1), -limit, limit)
            mean = tf.reduce_mean(faces, axis=(1, 2, 3), keepdims=True)
            faces = mean + (1 + contrast) * (faces - mean)
        if limits["random_erasing_fraction"]:
            faces = erased(faces, _another(draw, -2), fraction=limits["random_erasing_fraction"])
        return faces

    def get_config(self) -> dict[str, Any]:
        """What makes an equal layer."""
        return {**super().get_config(), **self.limits}


@keras.saving.register_keras_serializable("ferflow")
class SaltAndPepper(_Noise):
    """Turns a part of the pixels black or white, as likely the one as the other."""

    def __init__(self, *, fraction: float, **layer: Any) -> None:
        """Keeps the part.

        Args:
            fraction: The part of the pixels that is turned, 0 to 1, on average.
            **layer: `seed`, and what Keras' layers take.
        """
        super().__init__(**layer)
        self.fraction = fraction

    def changed(self, faces: tf.Tensor, draw: tf.Tensor) -> tf.Tensor:
        """The faces with salt and pepper."""
        chance = tf.random.stateless_uniform(tf.shape(faces), draw)
        with_pepper = tf.where(chance < self.fraction / 2, 0.0, faces)
        return tf.where(chance > 1 - self.fraction / 2, 255.0, with_pepper)

    def get_config(self) -> dict[str, Any]:
        """What makes an equal layer."""
        return {**super().get_config(), "fraction": self.fraction}


@keras.saving.register_keras_serializable("ferflow")
class Shrinking(keras.layers.Layer):
    """Scales faces to a smaller size in training, for as long as `active` says so."""

    def __init__(self, *, size: int, **layer: Any) -> None:
        """Keeps the size; at first, faces are shrunk.

        Args:
            size: Height and width of shrunk faces, in pixels.
            **layer: What Keras' layers take.
        """
        super().__init__(trainable=False, dtype="float32", **layer)
        self.size = size
        self.active = self.add_weight(name="active", dtype="int32", initializer="ones")

    def call(self, faces: tf.Tensor, *, training: bool = False) -> tf.Tensor:
        """Grey levels float32 (B, size, size, 1) of uint8 faces (B, 48, 48, 1), or of size 48."""
        grey = tf.cast(faces, tf.float32)
        if not training:
            return grey
        size = tf.where(self.active > 0, self.size, FACE_SIZE)
        return tf.image.resize(grey, tf.stack([size, size]))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Of any height and width."""
        return (input_shape[0], None, None, input_shape[3])

    def get_config(self) -> dict[str, Any]:
        """What makes an equal layer."""
        config = {**super().get_config(), "size": self.size}
        config.pop("trainable")
        config.pop("dtype")
        return config


def _another(draw: tf.Tensor, number: tf.Tensor | int) -> tf.Tensor:
    """Another seed, int32 (2,), for each number."""
    return draw + tf.stack([1_000_003 * tf.cast(number, tf.int32), 0])
