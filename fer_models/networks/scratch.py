"""The paper's network from scratch: eleven layers on 48x48 grey faces."""

import keras

from fer_data.core.schema import FACE_SIZE
from fer_models.networks.scratch_settings import ModelSettings


def build_model(settings: ModelSettings, num_classes: int) -> keras.Model:
    """Builds the network: rescaling, convolutions and poolings, dropout, flatten, two dense.

    The paper gives the kinds of the eleven layers, the dropout and the L2 factor; filters, units and
    kernel size are those of the TensorFlow tutorial (image classification) that it starts from.

    Args:
        settings: The section `models.scratch`.
        num_classes: K.

    Returns:
        A model from uint8 faces (N, 48, 48, 1) to probabilities (N, K).
    """
    layers = keras.layers
    faces = keras.Input((FACE_SIZE, FACE_SIZE, 1), dtype="uint8", name="faces")
    features = layers.Rescaling(1 / 255)(faces)
    for filters in settings.filters:
        features = layers.Conv2D(filters, 3, activation="relu")(features)
        features = layers.MaxPooling2D()(features)  # 23x23, 10x10, 4x4, 1x1
    features = layers.Dropout(settings.dropout)(features)
    features = layers.Flatten()(features)
    decay = keras.regularizers.L2(settings.l2)
    features = layers.Dense(settings.dense_units, "relu", kernel_regularizer=decay)(features)
    probabilities = layers.Dense(num_classes, "softmax", dtype="float32", name="probabilities")(
        features
    )
    return keras.Model(faces, probabilities, name="scratch")
