"""The paper's fine-tunes: a network of `keras.applications` under a small head, on 48x48 grey faces.

The three are one function; the base is a fact of the registry's row, all numbers are settings.
"""

import re
import warnings
from collections.abc import Mapping
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import URLError

import keras

from fer_data.core.errors import UserError
from fer_data.core.schema import FACE_SIZE
from fer_models.networks.fine_tuning_settings import ModelSettings
from fer_models.networks.registry import Base

IMAGENET, NO_WEIGHTS = "imagenet", "none"

BGR_MEANS = (103.939, 116.779, 123.68)
"""ImageNet's mean grey level of each channel, in the order of the networks that came from Caffe."""


def build_model(settings: ModelSettings, num_classes: int, *, base: Base) -> keras.Model:
    """Builds the network: scaling, grey to RGB, preprocessing, base, pooling, a dense layer, softmax.

    The paper gives the kinds of the layers and the two dropouts of its InceptionV3; units and the
    dropout of its ResNet50 are ours. With loaded weights all layers of the base are frozen but those of
    `trainable_layers`, and frozen batch norms stay in inference mode; without, everything is trained.

    Args:
        settings: The section `models.NAME`.
        num_classes: K.
        base: The base, as the registry's row describes it.

    Returns:
        A model from uint8 faces (N, 48, 48, 1) to probabilities (N, K), of nothing but Keras' own
        layers; the base is its layer `base`.

    Raises:
        UserError: The input is too small for the base, the weights cannot be had or do not fit, or
            `trainable_layers` lies outside of the base.
    """
    layers = keras.layers
    network = _loaded_base(base, settings)
    if settings.weights != NO_WEIGHTS:
        _freeze(network, settings, base=base)
    size = settings.input_size
    faces = keras.Input((FACE_SIZE, FACE_SIZE, 1), dtype="uint8", name="faces")
    # In full precision, since half of it would round grey levels; as floats, since integers would be
    # rounded once resized.
    grey = layers.Rescaling(1.0, dtype="float32")(faces)
    grey = layers.Resizing(size, size, interpolation="bilinear", dtype="float32")(grey)
    rgb = layers.Concatenate(dtype="float32")([grey, grey, grey])  # size x size x 3
    features = network(_preprocessing(base)(rgb))
    features = layers.GlobalAveragePooling2D()(features)
    before, after = settings.dropout
    features = layers.Dropout(before)(features)
    decay = keras.regularizers.L1L2(settings.l1, settings.l2)
    features = layers.Dense(settings.dense_units, "relu", kernel_regularizer=decay)(features)
    if settings.batch_norm:
        features = layers.BatchNormalization()(features)
    features = layers.Dropout(after)(features)
    probabilities = layers.Dense(num_classes, "softmax", dtype="float32", name="probabilities")(
        features
    )
    return keras.Model(faces, probabilities, name=base.application.lower())


def _preprocessing(base: Base) -> keras.layers.Layer:
    """Scales grey levels as the base's ImageNet weights expect; of grey, RGB and BGR are equal."""
    scale, offset = 1 / 127.5, -1.0
    if base.preprocessing == "caffe":
        scale, offset = 1.0, [-mean for mean in BGR_MEANS]
    return keras.layers.Rescaling(scale, offset, dtype="float32", name="preprocessing")


def _freeze(network: keras.Model, settings: ModelSettings, *, base: Base) -> None:
    """Freezes all layers of the base but those that the settings name."""
    count = len(network.layers)
    for bound in settings.trainable_layers:
        if bound is not None and abs(bound) > count:
            raise UserError(
                f"trainable_layers: got {list(settings.trainable_layers)}, but {base.application} "
                f"has {count} layers"
            )
    trainable = set(network.layers[slice(*settings.trainable_layers)])
    for layer in network.layers:
        frozen = settings.freeze_batch_norms and isinstance(layer, keras.layers.BatchNormalization)
        layer.trainable = layer in trainable and not frozen


def _loaded_base(base: Base, settings: ModelSettings) -> keras.Model:
    """Builds the base without its top, and loads the weights that the settings name."""
    size, name = settings.input_size, base.application
    if size < base.min_size:
        raise UserError(f"input_size: got {size}, but {name} takes at least {base.min_size} pixels")
    application = getattr(keras.applications, name)
    options = {"include_top": False, "input_shape": (size, size, 3), "name": "base"}
    if settings.weights == IMAGENET:
        return _downloaded(application, options, name=name)
    network = application(weights=None, **options)
    if settings.weights != NO_WEIGHTS:
        _load(network, Path(settings.weights), name=name)
    return network


def _downloaded(application: Any, options: Mapping[str, Any], *, name: str) -> keras.Model:
    """Builds a base with ImageNet's weights, which Keras downloads once and caches."""
    try:
        return application(weights=IMAGENET, **options)
    except Exception as error:  # Keras wraps what urllib raises in a bare Exception
        cause = error.__context__ or error
        if not isinstance(cause, URLError | HTTPException | ConnectionError | TimeoutError):
            raise
        raise UserError(
            f"ImageNet's weights of {name} cannot be downloaded ({_one_line(error)}): set `weights` to "
            f"the path of a file with them, or to {NO_WEIGHTS}, to train from nothing"
        ) from None


def _load(network: keras.Model, file: Path, *, name: str) -> None:
    """Loads weights of a base that was saved at any input size."""
    if not file.is_file():
        raise UserError(
            f"no weights at {file}: expected the path of a file, {IMAGENET}, or {NO_WEIGHTS}"
        )
    try:
        with warnings.catch_warnings():
            # Where layers do not fit, Keras warns for each, too, before it says so in an error.
            warnings.filterwarnings("ignore", "Skipping nested container", UserWarning)
            network.load_weights(file)
    except OSError as error:
        raise UserError(f"{file} is no file of weights: {_one_line(error)}") from None
    except ValueError as error:
        raise UserError(f"{file} does not fit {name} without its top: {_misfit(error)}") from None


def _misfit(error: ValueError) -> str:
    """Shortens Keras' message to the first layer that does not fit."""
    example = re.search(r"object <\w+ name=([^,]+),.*?\n\n(.*?)\n\n", str(error), re.DOTALL)
    if example is None:
        return _one_line(error)
    layer, reason = example.groups()
    shapes = re.search(r"variable\.shape=(\(.*?\)), Received: value\.shape=(\(.*?\))", reason)
    return f"layer {layer}: got {shapes[2]}, expected {shapes[1]}" if shapes else _one_line(reason)


def _one_line(words: object) -> str:
    return " ".join(str(words).split())
