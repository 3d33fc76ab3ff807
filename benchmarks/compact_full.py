"""Fits the recipe of `compact` on `train` and `validation` together, for the package's bundle.

    python benchmarks/compact_full.py --bundle compact-full.zip        # an hour of a core

Run it in a workspace where `dvc repro evaluate@compact` has run, once all is chosen: no face is left to
choose on. So the network is measured on `test` alone and has no figure of `validation`. Its temperature
and its sets come from predictions that `compact` made for `validation`: the same recipe, and a network
that has not seen those faces. It is no model of the zoo, and no ensemble can have it as a member.

Prints accuracy on `test` with its 95 % interval, and packs the network with its metrics and its card.
"""

import argparse
import dataclasses
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np

from benchmarks.trainings import Faces, read_faces, trained, training_settings_of
from fer_data.core import tfrecord
from fer_data.core.catalog import output
from fer_data.core.errors import UserError
from fer_data.core.schema import TEST, TRAIN, VALIDATION
from fer_data.core.tables import read_table
from fer_data.splitting.leaks import protocol_of
from fer_data.stages import stage
from fer_data.stages.settings import read_settings
from fer_models.core.prediction import predict, read_model
from fer_models.core.serialization import save_model
from fer_models.core.training_settings import TrainingSettings
from fer_models.evaluation.all_metrics import model_metrics
from fer_models.evaluation.evaluate_settings import EvaluateSettings
from fer_models.evaluation.model_card import hashes_of, model_card
from fer_models.evaluation.slices import has_duplicate, image_qualities, label_qualities
from fer_models.inference.bundle import compare_with_half, pack
from fer_models.inference.sources import CARD, METRICS, MODEL, SUMMARY
from fer_models.metrics.prediction_table import Predictions
from fer_models.training.samples import Samples
from flows.workspace.client import revision

HELD_OUT, FULL = "compact", "compact_full"
"""The model whose recipe it is, which has not seen `validation`; and the one that learns both."""
TITLE = "Compact network, fitted on validation too"


@dataclasses.dataclass(frozen=True)
class OneModel:
    """A folder with the files of one model, as a `Source`."""

    folder: Path
    expressions: tuple[str, ...]
    names: tuple[str, ...] = (FULL,)

    def error(self, name: str) -> str | None:
        """Nothing is missing of its only model: the folder was just written."""
        return None if name in self.names else f"no model '{name}'"

    def called(self, name: str) -> str:
        """Its name."""
        return name

    @contextmanager
    def file_of(self, name: str, file_name: str) -> Iterator[Path]:
        """One of the files of its only model."""
        assert name in self.names
        yield self.folder / file_name


def joined(first: Samples, second: Samples) -> Samples:
    """The samples of both.

    Raises:
        UserError: The first have soft labels, which the others never have.
    """
    if first.shares is not None:
        raise UserError(
            "the records have soft labels, and `validation` never has: expected those of "
            "`rebalance.soft_labels: false`"
        )
    return Samples(
        np.concatenate([first.inputs, second.inputs]),
        np.concatenate([first.labels, second.labels]),
        np.concatenate([first.weights, second.weights]),
    )


def refuse_choice(settings: TrainingSettings) -> None:
    """Refuses settings by which a training chooses an epoch: no face is left to choose on.

    Raises:
        UserError: They do.
    """
    if settings.restore_best_weights or settings.patience is not None:
        raise UserError(
            f"models.{HELD_OUT} chooses an epoch on `{VALIDATION}`, which {FULL} learns from: expected "
            "restore_best_weights: false and patience: null"
        )


def fit_on_both(settings: TrainingSettings, faces: Faces) -> tuple[keras.Model, float, float]:
    """Trains the network; returns it, and the seconds that it took, of the clock and of processors."""
    started, processor_started = time.perf_counter(), time.process_time()
    both = dataclasses.replace(faces, train=joined(faces.train, faces.validation))
    model = trained(HELD_OUT, settings, both)  # prints a `val_accuracy` of faces it learns from
    return model, time.perf_counter() - started, time.process_time() - processor_started


def measured(model: keras.Model, *, expressions: tuple[str, ...]) -> dict[str, Any]:
    """Measures the network on `test`, with the temperature and the sets of the one it is like.

    Args:
        model: The network that has learned `validation`, too.
        expressions: The K classes.

    Returns:
        What `metrics.json` holds, without `validation`.
    """
    settings = read_settings(EvaluateSettings, "evaluate")
    records = output("tfrecords", "tfrecords")
    validation, test = (tfrecord.read_split(records, split) for split in (VALIDATION, TEST))
    held_out = read_model(output(f"train@{HELD_OUT}", HELD_OUT) / MODEL, expressions=expressions)
    sizes = {"num_classes": len(expressions), "batch_size": settings.batch_size}
    predictions = {
        VALIDATION: Predictions(validation.labels, predict(held_out, validation.faces, **sizes)),
        TEST: Predictions(test.labels, predict(model, test.faces, **sizes)),
    }
    assignments = read_table(output("split", "assignments.parquet"))
    rated = read_table(output("mislabels", "testing_quality.parquet"))
    metrics = model_metrics(
        predictions,
        image_qualities(test.faces) | label_qualities(rated, test.paths),
        has_duplicate(assignments, test.paths),
        expressions=expressions,
        settings=settings,
    )
    del metrics[VALIDATION]  # of the other network
    return {"protocol": protocol_of(assignments), **metrics}


def write_files(
    model: keras.Model,
    settings: TrainingSettings,
    faces: Faces,
    *,
    seconds: float,
    folder: Path,
    expressions: tuple[str, ...],
) -> dict[str, Any]:
    """Writes what a bundle holds of the model into a folder; returns its metrics."""
    metrics = measured(model, expressions=expressions)
    save_model(model, folder / MODEL, expressions=expressions)
    summary = {
        "model": FULL,
        "title": TITLE,
        "parameters": model.count_params(),
        "train_faces": len(faces.train.labels) + len(faces.validation.labels),
        "validation_faces": 0,
        "held_out_model": HELD_OUT,
        "epochs": settings.epochs,
        "saved_epoch": settings.epochs,
        "seconds": seconds,
        "seed": settings.seed,
        "settings": settings.model_dump(mode="json"),
    }
    hashes = hashes_of(folder / MODEL, output("tfrecords", "tfrecords"), splits=(TRAIN, VALIDATION))
    (folder / METRICS).write_text(stage.json_text(metrics, of=METRICS), encoding="utf-8")
    (folder / SUMMARY).write_text(stage.json_text(summary, of=SUMMARY), encoding="utf-8")
    (folder / CARD).write_text(model_card(summary, metrics, hashes), encoding="utf-8")
    return metrics


def main() -> None:
    """Trains the network, measures and packs it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", type=Path, required=True, metavar="FILE", help="to write")
    flags = parser.parse_args()
    settings = training_settings_of(HELD_OUT)
    refuse_choice(settings)
    faces = read_faces()
    expressions = tfrecord.expressions(output("tfrecords", "tfrecords"))
    model, seconds, processor_seconds = fit_on_both(settings, faces)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        metrics = write_files(
            *(model, settings, faces), seconds=seconds, folder=folder, expressions=expressions
        )
        source = OneModel(folder, expressions)
        print(compare_with_half(source, FULL, faces.validation.inputs))
        pack(source, [FULL], flags.bundle, revision=revision(Path()), half=True)
    words = "`test` {value:.4f} ({low:.4f} to {high:.4f})".format(**metrics[TEST]["accuracy"])
    print(f"{words}, {seconds / 60:.0f} minutes, {processor_seconds / 60:.0f} of the processor")


if __name__ == "__main__":
    stage.run(main)
