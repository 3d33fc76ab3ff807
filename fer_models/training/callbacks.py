"""Keras callbacks: divergence check, epoch log, early stopping, checkpoints, progressive resizing."""

import logging
import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from dvclive.live import Live
from scmrepo.exceptions import SCMError

from fer_data.core.errors import UserError
from fer_models.augmentation.layers import SHRINKING
from fer_models.core.training_settings import TrainingSettings
from fer_models.training.checkpoints import Checkpoint, Checkpoints

logger = logging.getLogger(__name__)


class Divergence(keras.callbacks.Callback):
    """Stops a training that diverged, before a checkpoint or a log holds its NaNs."""

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Raises a `UserError` if a metric is NaN or infinite."""
        refuse_divergence({"epoch": epoch + 1, **(logs or {})})


def refuse_divergence(row: Mapping[str, float]) -> None:
    """Checks that all metrics of an epoch are finite.

    Args:
        row: The epoch, 1-based, and its metrics.

    Raises:
        UserError: A metric is NaN or infinite.
    """
    lost = [name for name, value in row.items() if not math.isfinite(value)]
    if lost:
        raise UserError(
            f"training diverged in epoch {int(row['epoch'])}: {lost[0]} is {row[lost[0]]}, expected a "
            "number; lower the model's `learning_rate` in params.yaml"
        )


class EpochLog(keras.callbacks.Callback):
    """Records the metrics and seconds of each epoch, and writes them to log, DVCLive and TensorBoard."""

    def __init__(self, folder: Path, *, earlier: Sequence[Mapping[str, float]]) -> None:
        """Opens the logs, and writes the epochs of an interrupted training again.

        Args:
            folder: An existing folder, which gets `dvclive` and `tensorboard`.
            earlier: The rows of the epochs before the interruption.
        """
        super().__init__()
        self.rows: list[dict[str, float]] = []
        try:
            self._live = Live(
                str(folder / "dvclive"), save_dvc_exp=False, dvcyaml=None, report=None
            )
        except SCMError as error:  # such as a repository without a commit
            raise UserError(
                f"DVCLive finds no commit here ({error}): `git add --all && git commit -m start`, then "
                "run this again"
            ) from None
        self._boards = {
            split: tf.summary.create_file_writer(str(folder / "tensorboard" / split))
            for split in ("train", "validation")
        }
        self._started = 0.0
        for row in earlier:
            self._add(dict(row))

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Starts the clock."""
        del epoch, logs
        self._started = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Adds the epoch's row."""
        seconds = time.monotonic() - self._started
        metrics = {name: float(value) for name, value in (logs or {}).items()}
        self._add({"epoch": epoch + 1, **metrics, "seconds": seconds})
        words = ", ".join(f"{name} {value:.4f}" for name, value in metrics.items())
        logger.info("epoch %d of %d: %s, %.0f s", epoch + 1, self.params["epochs"], words, seconds)

    def close(self) -> None:
        """Closes the logs, also of a training that failed."""
        self._live.end()
        for board in self._boards.values():
            board.close()

    def _add(self, row: dict[str, float]) -> None:
        self.rows.append(row)
        for name, value in row.items():
            if name in ("epoch", "seconds"):
                continue
            self._live.log_metric(name, value)
            split = "validation" if name.startswith("val_") else "train"
            with self._boards[split].as_default():
                tf.summary.scalar(name.removeprefix("val_"), value, step=int(row["epoch"]))
        self._live.next_step()


class Grow(keras.callbacks.Callback):
    """Progressive resizing: small faces in the first epochs, whole ones afterwards."""

    def __init__(self, num_epochs: int) -> None:
        """Stores the number of epochs.

        Args:
            num_epochs: How many epochs see small faces.
        """
        super().__init__()
        self._num_epochs = num_epochs

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Switches the layer `shrinking`, where there is one, on or off."""
        del logs
        for layer in self.model.layers:
            if layer.name == SHRINKING:
                layer.active.assign(int(epoch < self._num_epochs))


class BestEpoch(keras.callbacks.EarlyStopping):
    """Early stopping whose state can be saved and resumed.

    As Keras' own, it restores the best weights when the training ends, early or not.
    """

    def __init__(self, settings: TrainingSettings, *, earlier: Mapping[str, Any]) -> None:
        """Configures early stopping by the settings.

        Args:
            settings: The metric to monitor, the patience, and whether to restore the best weights.
            earlier: `state` and `best_weights` of the checkpoint; empty for a new training.
        """
        super().__init__(
            settings.monitor,
            mode="max" if settings.monitor == "val_accuracy" else "min",
            patience=settings.patience
            or settings.epochs,  # as long as the training: never stops early
            restore_best_weights=settings.restore_best_weights,
        )
        self._earlier = dict(earlier)

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Resets the state, as Keras does, and then restores that of the checkpoint."""
        super().on_train_begin(logs)
        for name, value in self._earlier.items():
            setattr(self, name, value)

    @property
    def state(self) -> dict[str, Any]:
        """The best value, its epoch, how many epochs ago that was, and when training stopped."""
        best = None if self.best is None else float(self.best)
        return {
            "best": best,
            "best_epoch": int(self.best_epoch),
            "wait": int(self.wait),
            "stopped_epoch": int(self.stopped_epoch),
        }


class CheckpointWriter(keras.callbacks.Callback):
    """Writes a checkpoint after each epoch."""

    def __init__(
        self, checkpoints: Checkpoints, epoch_log: EpochLog, best_epoch: BestEpoch
    ) -> None:
        """Stores the callbacks whose state it saves; they must run before this one.

        Args:
            checkpoints: Where to write.
            epoch_log: Has the history.
            best_epoch: Has the best weights and the state of early stopping.
        """
        super().__init__()
        self._checkpoints, self._epoch_log, self._best_epoch = checkpoints, epoch_log, best_epoch

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Writes variables of model and optimizer, best weights, history and early stopping."""
        del logs
        arrays = {
            "model": values_of(self.model.variables),
            "optimizer": values_of(self.model.optimizer.variables),
            "best": self._best_epoch.best_weights or [],
        }
        state = {"history": self._epoch_log.rows, "best": self._best_epoch.state}
        self._checkpoints.save(Checkpoint(epoch + 1, arrays, state))


def values_of(variables: Sequence[Any]) -> list[np.ndarray]:
    """The values of Keras variables, copied."""
    return [np.array(variable) for variable in variables]
