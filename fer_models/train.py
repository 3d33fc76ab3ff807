"""Trains one model of the zoo on the TFRecords: `model.keras`, its history and its logs."""

import json
import logging
import sys
import time
from dataclasses import asdict
from pathlib import Path

import keras
import pandas as pd
from dvclive.live import Live

from fer_data import records, stage
from fer_data.params import read_settings
from fer_data.schema import HISTORY_COLUMNS, TRAIN, VALIDATION
from fer_models.batches import make_repeatable, training_batches
from fer_models.recipe import Recipe
from fer_models.saving import save_model
from fer_models.zoo import model_named

logger = logging.getLogger(__name__)

OPTIMIZERS = {"rmsprop": keras.optimizers.RMSprop, "adam": keras.optimizers.Adam}


class EpochLog(keras.callbacks.Callback):
    """Keeps one row an epoch, with its seconds, and passes it on to DVCLive and to the log."""

    def __init__(self, live: Live) -> None:
        """Starts without rows.

        Args:
            live: Where each epoch's figures are logged for `dvc plots` and `dvc exp`.
        """
        super().__init__()
        self.rows: list[dict[str, float]] = []
        self._live = live
        self._started = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Starts the clock."""
        del epoch, logs
        self._started = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Adds the epoch's row."""
        seconds = time.monotonic() - self._started
        figures = {name: float(value) for name, value in (logs or {}).items()}
        self.rows.append({"epoch": epoch + 1, **figures, "seconds": seconds})
        for name, value in figures.items():
            self._live.log_metric(name, value)
        self._live.next_step()
        words = ", ".join(f"{name} {value:.4f}" for name, value in figures.items())
        logger.info("epoch %d of %d: %s, %.0f s", epoch + 1, self.params["epochs"], words, seconds)


def fit(
    model: keras.Model,
    train: records.Examples,
    validation: records.Examples,
    *,
    recipe: Recipe,
    logs: Path,
) -> pd.DataFrame:
    """Trains a model by its recipe; it ends with the weights of the epoch that the recipe keeps.

    Args:
        model: From uint8 faces (N, 48, 48, 1) to probabilities (N, K).
        train: The faces to learn from, with their weights in the loss.
        validation: The faces that the epochs are compared on.
        recipe: Epochs, optimizer and the like.
        logs: An existing folder, which gets `dvclive` and `tensorboard`.

    Returns:
        One row an epoch: `epoch` (1-based), `accuracy`, `loss`, `val_accuracy`, `val_loss` (the
        losses with the network's weight decay) and `seconds`.
    """
    model.compile(
        optimizer=OPTIMIZERS[recipe.optimizer](recipe.learning_rate),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    with Live(str(logs / "dvclive"), save_dvc_exp=False, dvcyaml=None, report=None) as live:
        epoch_log = EpochLog(live)
        callbacks = [
            epoch_log,
            keras.callbacks.TensorBoard(logs / "tensorboard", write_graph=False),
        ]
        if recipe.keep_epoch == "best":
            # Patience as long as the training: never stops early, restores the best epoch.
            callbacks.append(
                keras.callbacks.EarlyStopping(
                    "val_accuracy", mode="max", patience=recipe.epochs, restore_best_weights=True
                )
            )
        model.fit(
            training_batches(
                train.faces,
                train.labels,
                train.weights,
                batch_size=recipe.batch_size,
                seed=recipe.seed,
            ),
            epochs=recipe.epochs,
            validation_data=(validation.faces, validation.labels),
            validation_batch_size=512,
            callbacks=callbacks,
            shuffle=False,  # the batches are shuffled already; Keras would warn
            verbose=1 if sys.stderr.isatty() else 0,
        )
    return pd.DataFrame(epoch_log.rows)[list(HISTORY_COLUMNS)]


def main() -> None:
    """Reads the TFRecords, writes the model's folder and its training report."""
    flags = stage.parse_flags(__doc__, "records", "model_folder", "report", model=str)
    row = model_named(flags.model)
    recipe = read_settings(row.settings_class, f"models.{flags.model}")
    make_repeatable(recipe.seed, deterministic=recipe.deterministic)
    train = records.read_role(flags.records, TRAIN)
    validation = records.read_role(flags.records, VALIDATION)
    model = row.build(recipe, len(records.expressions(flags.records)))
    started = time.monotonic()
    with stage.written_beside(flags.report) as report:
        report.mkdir()
        history = fit(model, train, validation, recipe=recipe, logs=report)
        history.to_csv(report / "history.csv", index=False)
        by_accuracy = int(history["val_accuracy"].argmax())
        kept = history.iloc[by_accuracy if recipe.keep_epoch == "best" else -1]
        summary = {
            "model": flags.model,
            "title": row.title,
            "parameters": model.count_params(),
            "epochs": recipe.epochs,
            "kept_epoch": int(kept["epoch"]),
            "seconds": time.monotonic() - started,
            "seed": recipe.seed,
            "train_faces": len(train.labels),
            "validation_faces": len(validation.labels),
            "training": {name: float(kept[name]) for name in ("accuracy", "loss")},
            "paper": asdict(row.paper),
            "settings": recipe.model_dump(mode="json"),
        }
        (report / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
    save_model(model, flags.model_folder / "model.keras")
    logger.info(
        "train: %s, %d faces, epoch %d kept: val_accuracy %.4f -> %s",
        *(flags.model, len(train.labels), kept["epoch"], kept["val_accuracy"], flags.model_folder),
    )


if __name__ == "__main__":
    stage.run(main)
