"""Puts augmentation layers before a network, for training alone; the saved model has none of them."""

import keras

from fer_data.core.errors import UserError
from fer_models.augmentation.layers import (
    NETWORK,
    SHRINKING,
    Augmentation,
    SaltAndPepper,
    Shrinking,
)
from fer_models.core.training_settings import TrainingSettings
from fer_models.training.distillation import Distillation
from fer_models.training.fused_batch_norm import fused


def augmented(
    model: keras.Model, settings: TrainingSettings, *, teacher: keras.Model | None = None
) -> keras.Model:
    """A model that shares the weights of `model` and augments its inputs in training.

    Args:
        model: The model that will be saved.
        settings: Which augmentation, how much of it, and the seed of its draws.
        teacher: A trained model, whose probabilities for the augmented faces it learns from too.

    Returns:
        The model to train: augmentation layers, then the network.

    Raises:
        UserError: The settings want small faces of a model that takes whole faces alone.
    """
    layers: list[keras.layers.Layer] = []
    augmentation = settings.augmentation
    limits = augmentation.model_dump(exclude={"salt_and_pepper_fraction", "salt_and_pepper_copies"})
    if any(limits.values()):
        layers.append(Augmentation(**limits, seed=settings.seed))
    if augmentation.salt_and_pepper_fraction and not augmentation.salt_and_pepper_copies:
        # Another seed than the augmentation's: else both would draw the same numbers.
        fraction = augmentation.salt_and_pepper_fraction
        layers.append(SaltAndPepper(fraction=fraction, seed=settings.seed + 1))
    if settings.small_faces.epochs:
        layers.append(Shrinking(size=settings.small_faces.size, name=SHRINKING))
    inputs = keras.Input(model.input_shape[1:], dtype=model.inputs[0].dtype)
    outputs = inputs
    for layer in layers:
        outputs = layer(outputs)
    probabilities = _trained_part(model, settings)(outputs)
    if teacher is not None:
        probabilities = Distillation(settings.teacher_weight)(
            probabilities, _teaching_part(teacher, settings)(outputs, training=False)
        )
    return keras.Model(inputs, probabilities)


def _teaching_part(teacher: keras.Model, settings: TrainingSettings) -> keras.Model:
    """The layer `network` of a teacher, which has seen augmented faces, or the whole of it; frozen."""
    part = next((layer for layer in teacher.layers if layer.name == NETWORK), teacher)
    if part is teacher and settings.small_faces.epochs:
        raise UserError(
            f"small_faces: the teacher, {teacher.name}, takes whole faces alone: set "
            "small_faces.epochs to 0"
        )
    frozen = keras.Model(part.input, part.output, name="teacher")
    frozen.trainable = False
    return frozen


def _trained_part(model: keras.Model, settings: TrainingSettings) -> keras.Model:
    """The layer `network` of a model with fused batch norms, or the whole model if it has none.

    `compact` averages its network over a face and its horizontal flip. Training the inner network alone
    costs half as much a step; the augmentation flips faces instead.
    """
    networks = [layer for layer in model.layers if layer.name == NETWORK]
    if networks:
        return fused(networks[0])
    if settings.small_faces.epochs:
        raise UserError(
            f"small_faces: {model.name} takes whole faces alone: set small_faces.epochs to 0"
        )
    return model
