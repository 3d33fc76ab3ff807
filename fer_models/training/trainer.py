"""Trains a Keras model on one device or several, and resumes from its newest checkpoint."""

import sys
from pathlib import Path

import keras
import pandas as pd
import tensorflow as tf

from fer_data.core.errors import UserError
from fer_data.core.schema import HISTORY_COLUMNS
from fer_models.core.input_pipeline import (
    mixed,
    num_batches,
    ordered_batches,
    shared,
    training_batches,
)
from fer_models.core.training_settings import TrainingSettings
from fer_models.core.watch_inputs import InputsCheck
from fer_models.training.augmented_model import augmented
from fer_models.training.callbacks import (
    BestEpoch,
    CheckpointWriter,
    Divergence,
    EpochLog,
    Grow,
    refuse_divergence,
)
from fer_models.training.checkpoints import Checkpoint, Checkpoints
from fer_models.training.optimization import build_loss, build_optimizer, loss_targets
from fer_models.training.samples import Samples

_VALIDATION_BATCH = 128  # what a processor's caches hold of larger networks


def fit(
    model: keras.Model,
    train: Samples,
    validation: Samples,
    *,
    settings: TrainingSettings,
    logs: Path,
    checkpoints: Checkpoints,
    teacher: keras.Model | None = None,
) -> pd.DataFrame:
    """Trains a model; it ends with the weights of the last or the best epoch, as the settings say.

    A checkpoint is written after each epoch. Training resumes after the newest one. With
    `deterministic: true` a resumed training ends with the weights, bit for bit, of one without a break.

    Args:
        model: From inputs to probabilities (N, K); built under the strategy that will train it.
        train: The training set.
        validation: The set that the epochs are compared on.
        settings: The training settings.
        logs: An existing folder, which gets `dvclive` and `tensorboard`.
        checkpoints: The checkpoints of this training.
        teacher: A trained model to learn from beside the labels (distillation).

    Returns:
        One row an epoch: `epoch` (1-based), `accuracy`, `loss`, `val_accuracy`, `val_loss` (the
        losses with the network's weight decay, `loss` with the teacher's part, too) and `seconds`.

    Raises:
        UserError: The device runs out of memory, it has no deterministic version of an operation and
            the settings want one, the training diverges, or the settings want a teacher and there is
            none.
    """
    if settings.teacher_weight and teacher is None:
        raise UserError(
            f"teacher_weight is {settings.teacher_weight:g}, and no model teaches {model.name}: "
            "expected 0, but in the section of a model that `pipeline.models` lets start from another"
        )
    strategy = model.distribute_strategy
    num_devices = strategy.num_replicas_in_sync
    steps_per_epoch = num_batches(
        len(train.labels), batch_size=settings.batch_size, num_devices=num_devices
    )
    is_soft = train.shares is not None or settings.mixup_alpha > 0
    trained = _compiled(
        *(model, settings, teacher), num_steps=steps_per_epoch * settings.epochs, is_soft=is_soft
    )
    checkpoint = checkpoints.newest()
    finished, earlier = 0, {}
    if checkpoint is not None:
        for row in checkpoint.state["history"]:  # version 0.1.0 wrote checkpoints after divergence
            refuse_divergence(row)
        _restore(trained, checkpoint)
        earlier = {**checkpoint.state["best"], "best_weights": checkpoint.arrays["best"] or None}
        # A training that early stopping has ended trains no further epoch.
        finished = settings.epochs if earlier["stopped_epoch"] else checkpoint.epoch
    epoch_log = EpochLog(logs, earlier=checkpoint.state["history"] if checkpoint else [])
    best_epoch = BestEpoch(settings, earlier=earlier)
    train_labels, validation_labels = (
        loss_targets(samples, settings, num_classes=model.output_shape[-1], is_soft=is_soft)
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
        if settings.mixup_alpha:
            batches = mixed(
                batches,
                alpha=settings.mixup_alpha,
                seed=settings.seed,
                start=finished * steps_per_epoch * num_devices,
            )
        validation_batches = ordered_batches(
            *(validation.inputs, validation_labels),
            batch_size=_VALIDATION_BATCH,
            num_devices=num_devices,
        )
        trained.fit(
            shared(batches, strategy),
            epochs=settings.epochs,
            initial_epoch=finished,
            steps_per_epoch=steps_per_epoch,
            validation_data=shared(validation_batches, strategy),
            # In this order: nothing of a diverged epoch is written, the writer reads the state of the
            # two before it, and an edit of the inputs ends the stage once the epoch is on disk.
            callbacks=[
                *(Grow(settings.small_faces.epochs), Divergence()),
                *(epoch_log, best_epoch, CheckpointWriter(checkpoints, epoch_log, best_epoch)),
                InputsCheck(),
            ],
            shuffle=False,  # the batches are shuffled already; Keras would warn
            verbose=1 if sys.stderr.isatty() else 0,
        )
    except (tf.errors.ResourceExhaustedError, MemoryError):
        raise UserError(
            f"out of memory with a batch_size of {settings.batch_size}: try "
            f"{max(1, settings.batch_size // 2)}; its checkpoints stay"
        ) from None
    except tf.errors.UnimplementedError as error:
        if not settings.deterministic:
            raise
        raise UserError(
            f"this device has no deterministic version of an operation: set `deterministic: false` "
            f"({error.message.splitlines()[0]})"
        ) from None
    finally:
        epoch_log.close()
    return pd.DataFrame(epoch_log.rows)[list(HISTORY_COLUMNS)]


def _compiled(
    model: keras.Model,
    settings: TrainingSettings,
    teacher: keras.Model | None,
    *,
    num_steps: int,
    is_soft: bool,
) -> keras.Model:
    """The model with augmentation before it, compiled, its optimizer's variables made."""
    with model.distribute_strategy.scope():
        trained = augmented(model, settings, teacher=teacher)
        trained.compile(
            optimizer=build_optimizer(settings, num_steps, policy=model.dtype_policy.name),
            loss=build_loss(settings, is_soft=is_soft),
            metrics=["accuracy"],
            jit_compile={"auto": "auto", "on": True, "off": False}[settings.xla],
        )
        # Now, and not in the first step: a checkpoint restores these variables before it.
        trained.optimizer.build(trained.trainable_variables)
    return trained


def _restore(model: keras.Model, checkpoint: Checkpoint) -> None:
    """Gives a compiled model the values that it had when the checkpoint was written."""
    for part, variables in (("model", model.variables), ("optimizer", model.optimizer.variables)):
        for variable, value in zip(variables, checkpoint.arrays[part], strict=True):
            variable.assign(value)
