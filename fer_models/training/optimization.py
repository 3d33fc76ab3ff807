"""Builds what a training minimizes and how: loss, optimizer and learning-rate schedule."""

from functools import partial
from typing import Any

import keras
import numpy as np

from fer_models.core.training_settings import TrainingSettings
from fer_models.training.samples import Samples

OPTIMIZERS = {
    "rmsprop": keras.optimizers.RMSprop,
    "adam": keras.optimizers.Adam,
    "sgd": partial(keras.optimizers.SGD, momentum=0.9, nesterov=True),
}


def build_optimizer(
    settings: TrainingSettings, num_steps: int, *, policy: str
) -> keras.optimizers.Optimizer:
    """Builds the optimizer, with decoupled weight decay and loss scaling where they are needed.

    Args:
        settings: The training settings.
        num_steps: Steps of the whole training, over which the learning rate is scheduled.
        policy: The name of the model's dtype policy.
    """
    optimizer = OPTIMIZERS[settings.optimizer](
        learning_rate(settings, num_steps), weight_decay=settings.weight_decay or None
    )
    if settings.weight_decay:
        # As is usual: biases and the scales and offsets of batch norms are not decayed.
        optimizer.exclude_from_weight_decay(var_names=["beta", "gamma", "bias"])
    if policy == "mixed_float16":
        # Small gradients underflow to 0 in float16 unless the loss is scaled. Keras scales it by itself
        # for models that are built under the policy; the model with augmentation before it is not.
        return keras.optimizers.LossScaleOptimizer(optimizer)
    return optimizer


def learning_rate(settings: TrainingSettings, num_steps: int) -> Any:
    """The learning rate: a number, or a schedule over all steps.

    The schedule rises linearly from 0 over the warmup, and then stays (`constant`) or falls to 0 along
    half a cosine (Loshchilov and Hutter, SGDR, 2017, without restarts).
    """
    warmup = round(settings.warmup_fraction * num_steps)
    if settings.schedule == "constant" and not warmup:
        return settings.learning_rate
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warmup else settings.learning_rate,
        decay_steps=num_steps - warmup,
        alpha=1.0 if settings.schedule == "constant" else 0.0,  # the fraction left at the end
        warmup_target=settings.learning_rate if warmup else None,
        warmup_steps=warmup,
    )


def build_loss(settings: TrainingSettings, *, is_soft: bool = False) -> keras.losses.Loss:
    """The cross-entropy: of label numbers, or of K shares where labels are smoothed or soft."""
    if settings.label_smoothing or is_soft:
        return keras.losses.CategoricalCrossentropy(label_smoothing=settings.label_smoothing)
    return keras.losses.SparseCategoricalCrossentropy()


def loss_targets(
    samples: Samples, settings: TrainingSettings, *, num_classes: int, is_soft: bool = False
) -> np.ndarray:
    """The labels in the form that the loss takes: int64 (N,), or float32 (N, K), one-hot or shares.

    Args:
        samples: The N samples; those without shares have one-hot labels where others are soft.
        settings: The training settings.
        num_classes: K.
        is_soft: Whether the loss is that of soft labels.
    """
    if samples.shares is not None:
        return samples.shares
    if settings.label_smoothing or is_soft:
        return np.eye(num_classes, dtype=np.float32)[samples.labels]
    return samples.labels
