"""Trains a Keras model on one device or several, and resumes from its newest checkpoint."""

import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from fer_data.core.errors import UserError
from fer_data.core.schema import HISTORY_COLUMNS
from fer_models.augmentation.layers import (
    NETWORK,
    SHRINKING,
    Augmentation,
    SaltAndPepper,
    Shrinking,
)
from fer_models.core.input_pipeline import num_batches, ordered_batches, shared, training_batches
from fer_models.core.training_settings import TrainingSettings
from fer_models.core.watch_inputs import InputsCheck
from fer_models.training.callbacks import (
    BestEpoch,
    CheckpointWriter,
    Divergence,
    EpochLog,
    Grow,
    refuse_divergence,
)
from fer_models.training.checkpoints import Checkpoint, Checkpoints
from fer_models.training.fused_batch_norm import fused

OPTIMIZERS = {
    "rmsprop": keras.optimizers.RMSprop,
    "adam": keras.optimizers.Adam,
    "sgd": partial(keras.optimizers.SGD, momentum=0.9, nesterov=True),
}
_VALIDATION_BATCH = 128  # what a processor's caches hold of larger networks


@dataclass(frozen=True)
class Samples:
    """N inputs of a model, with what it should say of them."""

    inputs: np.ndarray
    """(N, ...), such as uint8 faces (N, 48, 48, 1)."""
    labels: np.ndarray
    """int64 (N,), 0 to K - 1."""
    weights: np.ndarray
    """float32 (N,), the weight of each in the training loss."""


def fit(
    model: keras.Model,
    train: Samples,
    validation: Samples,
    *,
    settings: TrainingSettings,
    logs: Path,
    kept: Checkpoints,
) -> pd.DataFrame:
    """Trains a model; it ends with the weights of the last or the best epoch, as the settings say.

    A checkpoint is written after each epoch. Training resumes after the newest one. With
    `deterministic: true` a resumed training ends with the weights, bit for bit, of one without a break.

    Args:
        model: From inputs to probabilities (N, K); built under the strategy that shall train it.
        train: What to learn from.
        validation: What the epochs are compared on.
        settings: Epochs, optimizer and the like.
        logs: An existing folder, which gets `dvclive` and `tensorboard`.
        kept: The checkpoints of this very training.

    Returns:
        One row an epoch: `epoch` (1-based), `accuracy`, `loss`, `val_accuracy`, `val_loss` (the
        losses with the network's weight decay) and `seconds`.

    Raises:
        UserError: The device runs out of memory, it has no deterministic version of an operation and
            the settings want one, or the training diverges.
    """
    split = model.distribute_strategy
    num_devices = split.num_replicas_in_sync
    with split.scope():
        trained = _with_noise(model, settings)
        steps_per_epoch = num_batches(
            len(train.labels), batch_size=settings.batch_size, num_devices=num_devices
        )
        trained.compile(
            optimizer=_optimizer(
                settings, steps_per_epoch * settings.epochs, policy=model.dtype_policy.name
            ),
            loss=_loss(settings),
            metrics=["accuracy"],
            jit_compile={"auto": "auto", "on": True, "off": False}[settings.xla],
        )
        trained.optimizer.build(trained.trainable_variables)
    checkpoint = kept.newest()
    finished, earlier = 0, {}
    if checkpoint is not None:
        for row in checkpoint.state["history"]:  # files from before divergence ended a training
            refuse_divergence(row)
        _restore(trained, checkpoint)
        earlier = {**checkpoint.state["best"], "best_weights": checkpoint.arrays["best"] or None}
        finished = settings.epochs if earlier["stopped_epoch"] else checkpoint.epoch
    epoch_log = EpochLog(logs, earlier=checkpoint.state["history"] if checkpoint else [])
    best_epoch = BestEpoch(settings, earlier=earlier)
    train_labels, validation_labels = (
        _targets(samples.labels, settings, num_classes=model.output_shape[-1])
        for samples in (train, validation)
    )
    try:
        batches = training_batches(
            *(train.inputs, train_labels, train.weights),
            batch_size=settings.batch_size,
            seed=settings.seed,
            epochs=range(finished, settings.epochs),
            num_devices=num_devices,
        )
        compared_on = ordered_batches(
            *(validation.inputs, validation_labels),
            batch_size=_VALIDATION_BATCH,
            num_devices=num_devices,
        )
        trained.fit(
            shared(batches, split),
            epochs=settings.epochs,
            initial_epoch=finished,
            steps_per_epoch=steps_per_epoch,
            validation_data=shared(compared_on, split),
            callbacks=[
                *(Grow(settings.small_faces.epochs), Divergence()),
                *(epoch_log, best_epoch, CheckpointWriter(kept, epoch_log, best_epoch)),
                InputsCheck(),
            ],
            shuffle=False,  # the batches are shuffled already; Keras would warn
            verbose=1 if sys.stderr.isatty() else 0,
        )
    except (tf.errors.ResourceExhaustedError, MemoryError):
        raise UserError(
            f"out of memory with a batch_size of {settings.batch_size}: try "
            f"{max(1, settings.batch_size // 2)}; finished epochs are kept"
        ) from None
    except tf.errors.UnimplementedError as error:
        if not settings.deterministic:
            raise
        raise UserError(
            f"this device has no deterministic way for an operation: set `deterministic: false` "
            f"({error.message.splitlines()[0]})"
        ) from None
    finally:
        epoch_log.close()
    return pd.DataFrame(epoch_log.rows)[list(HISTORY_COLUMNS)]


def _optimizer(
    settings: TrainingSettings, num_steps: int, *, policy: str
) -> keras.optimizers.Optimizer:
    optimizer = OPTIMIZERS[settings.optimizer](
        learning_rate(settings, num_steps), weight_decay=settings.weight_decay or None
    )
    if settings.weight_decay:
        optimizer.exclude_from_weight_decay(var_names=["beta", "gamma", "bias"])
    if policy == "mixed_float16":  # small gradients are 0 there, unless the loss is scaled
        # Keras does so by itself for models that are built under the policy; the one with the noise
        # before it is not.
        return keras.optimizers.LossScaleOptimizer(optimizer)
    return optimizer


def learning_rate(settings: TrainingSettings, num_steps: int) -> Any:
    """The learning rate: a number, or a schedule over all steps."""
    warmup = round(settings.warmup_fraction * num_steps)
    if settings.schedule == "constant" and not warmup:
        return settings.learning_rate
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warmup else settings.learning_rate,
        decay_steps=num_steps - warmup,
        alpha=1.0 if settings.schedule == "constant" else 0.0,
        warmup_target=settings.learning_rate if warmup else None,
        warmup_steps=warmup,
    )


def with_noisy_copies(samples: Samples, settings: TrainingSettings) -> Samples:
    """The samples, and a copy of each with salt-and-pepper noise if the settings want copies."""
    if settings.salt_and_pepper.apply != "copies":
        return samples
    noise = SaltAndPepper(fraction=settings.salt_and_pepper.fraction, seed=settings.seed)
    copies = np.concatenate(
        [
            noise(samples.inputs[start : start + _VALIDATION_BATCH], training=True)
            for start in range(0, len(samples.labels), _VALIDATION_BATCH)
        ]
    )
    return Samples(
        inputs=np.concatenate([samples.inputs, copies]),
        labels=np.tile(samples.labels, 2),
        weights=np.tile(samples.weights, 2),
    )


def _with_noise(model: keras.Model, settings: TrainingSettings) -> keras.Model:
    """A model of the same weights with the augmentation layers of the settings before it."""
    layers: list[keras.layers.Layer] = []
    limits = settings.augmentation.model_dump()
    if any(limits.values()):
        layers.append(Augmentation(**limits, seed=settings.seed))
    if settings.salt_and_pepper.apply == "batches":
        layers.append(
            SaltAndPepper(fraction=settings.salt_and_pepper.fraction, seed=settings.seed + 1)
        )
    if settings.small_faces.epochs:
        layers.append(Shrinking(size=settings.small_faces.size, name=SHRINKING))
    inputs = keras.Input(model.input_shape[1:], dtype=model.inputs[0].dtype)
    changed = inputs
    for layer in layers:
        changed = layer(changed)
    return keras.Model(inputs, _trained_part(model, settings)(changed))


def _trained_part(model: keras.Model, settings: TrainingSettings) -> keras.Model:
    """The model, or the network within it that takes faces of any size, made faster."""
    networks = [layer for layer in model.layers if layer.name == NETWORK]
    if networks:
        return fused(networks[0])
    if settings.small_faces.epochs:
        raise UserError(
            f"small_faces: {model.name} takes whole faces alone: set small_faces.epochs to 0"
        )
    return model


def _loss(settings: TrainingSettings) -> keras.losses.Loss:
    if settings.loss == "categorical_crossentropy":
        return keras.losses.CategoricalCrossentropy(label_smoothing=settings.label_smoothing)
    return keras.losses.SparseCategoricalCrossentropy()


def _targets(labels: np.ndarray, settings: TrainingSettings, *, num_classes: int) -> np.ndarray:
    """Labels as the loss wants them: int64 (N,), or float32 (N, K)."""
    if settings.loss == "categorical_crossentropy":
        return np.eye(num_classes, dtype=np.float32)[labels]
    return labels


def _restore(model: keras.Model, checkpoint: Checkpoint) -> None:
    """Gives a compiled model the values that it had when the checkpoint was written."""
    for part, variables in (("model", model.variables), ("optimizer", model.optimizer.variables)):
        for variable, value in zip(variables, checkpoint.arrays[part], strict=True):
            variable.assign(value)
