"""The compact network: residual, for 48x48 grey faces, trained from scratch on two processor cores."""

from typing import Any

import keras

from fer_data.core.schema import FACE_SIZE
from fer_models.augmentation.layers import NETWORK
from fer_models.augmentation.transforms import interpolation_blur
from fer_models.networks.compact_settings import ModelSettings


def build_model(settings: ModelSettings, num_classes: int) -> keras.Model:
    """Builds the network, and averages its predictions for a face and for its horizontal flip.

    A 5x5 convolution with stride 2, then stages of a residual block (He et al., 2016), or of two
    convolutions without one, between poolings: 3x3 convolutions, in which processors reach their full
    speed. Where training interpolates faces, the saved model blurs them as much (`interpolation_blur`).

    Args:
        settings: The section `models.compact`.
        num_classes: K.

    Returns:
        A model from uint8 faces (N, 48, 48, 1) to probabilities (N, K); its layer `network`, which is
        trained, takes float32 grey levels of faces of any size.
    """
    return flip_averaged(_network(settings, num_classes), settings)


def flip_averaged(network: keras.Model, settings: ModelSettings) -> keras.Model:
    """Averages the outputs of a network for a face and for its flip, a test-time augmentation.

    Args:
        network: From float32 grey levels (N, 48, 48, 1) to outputs (N, F).
        settings: Which augmentation it was trained with.

    Returns:
        A model from uint8 faces (N, 48, 48, 1) to outputs, float32 (N, F).
    """
    faces = keras.Input((FACE_SIZE, FACE_SIZE, 1), dtype="uint8", name="faces")
    grey = keras.layers.Rescaling(1.0, dtype="float32")(faces)
    if settings.augmentation.interpolates:
        grey = interpolation_blur(grey)
    outputs = network(grey)
    if settings.average_flip:
        flipped = keras.ops.flip(grey, axis=2)
        outputs = keras.layers.Average(dtype="float32", name="probabilities")(
            [outputs, network(flipped)]
        )
    return keras.Model(faces, outputs, name="compact")


def with_features(model: keras.Model) -> keras.Model:
    """The network of a built model with its features, the means of the last maps, before its outputs.

    Args:
        model: As `build_model` describes it.

    Returns:
        A model from float32 grey levels to float32 (N, F + K): features and probabilities.
    """
    network = model.get_layer(NETWORK)
    features = network.layers[-1].input  # of the softmax
    return keras.Model(
        network.input, keras.layers.Concatenate(dtype="float32")([features, network.output])
    )


def _network(settings: ModelSettings, num_classes: int) -> keras.Model:
    """Builds the trained network, from grey levels of any size to probabilities (N, K)."""
    layers = keras.layers

    def convolution(maps: Any, filters: int, *, kernel: int = 3, stride: int = 1) -> Any:
        maps = layers.Conv2D(
            *(filters, kernel, stride),
            padding="same",
            use_bias=False,
            kernel_initializer="he_normal",
        )(maps)
        return layers.BatchNormalization(momentum=0.95)(maps)

    grey = keras.Input((None, None, 1), name="grey")
    maps = layers.Rescaling(1 / 64, offset=-2)(grey)
    maps = layers.ReLU()(convolution(maps, settings.filters[0], kernel=5, stride=2))  # 24x24
    for number, filters in enumerate(settings.filters):
        if number:
            maps = layers.MaxPooling2D(padding="same")(maps)  # 12x12, 6x6, 3x3
        if number and settings.residual:
            maps = layers.ReLU()(convolution(maps, filters))  # as many maps as the block adds
        # Two convolutions; of a residual block, the input is added before the last activation.
        block = convolution(layers.ReLU()(convolution(maps, filters)), filters)
        maps = layers.ReLU()(layers.Add()([maps, block]) if settings.residual else block)
    features = layers.Dropout(settings.dropout)(layers.GlobalAveragePooling2D()(maps))
    probabilities = layers.Dense(num_classes, "softmax", dtype="float32")(features)
    return keras.Model(grey, probabilities, name=NETWORK)
