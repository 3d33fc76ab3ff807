"""Which way of evening out the classes helps: `scratch` on each of them, over three seeds.

    python benchmarks/rebalance.py                 # 12 trainings of 10 epochs: half an hour on two cores
    python benchmarks/rebalance.py --epochs 30     # the paper's schedule: more than an hour

Run it in a workspace where `dvc repro` has run. Each way takes as many steps as `none` does in its
epochs: `oversample` sees fewer, larger epochs, `undersample` more, smaller ones. The default of
`rebalance.method` is chosen on `validation`; `test` is printed beside it. Intervals are of the mean of
the seeds: from resamples of the faces, each over all seeds.
"""

import argparse
import tempfile
from functools import partial
from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd

from fer_data.annotation.decision_log import read_decisions
from fer_data.annotation.latest_decisions import latest_decisions
from fer_data.core.catalog import output
from fer_data.core.face_store import read_faces
from fer_data.core.schema import (
    LABEL,
    LABEL_QUALITY,
    PATH,
    SAMPLE_COUNT,
    SAMPLE_WEIGHT,
    SPLIT,
    TEST,
    TRAIN,
    VALIDATION,
)
from fer_data.core.tables import read_table
from fer_data.curation.rebalance import Method, RebalanceSettings, curate
from fer_data.stages.settings import DataSettings, read_settings
from fer_models.core.input_pipeline import make_repeatable
from fer_models.metrics.bootstrap import bootstrap_intervals
from fer_models.networks.registry import model_named
from fer_models.training.checkpoints import Checkpoints
from fer_models.training.samples import Samples
from fer_models.training.trainer import fit

MODEL = "scratch"
RELABELS = Path("data/relabels.csv")


def samples_of(curated: pd.DataFrame, pixels: np.ndarray, split: str) -> Samples:
    """The faces of a split, as often as they are repeated."""
    rows = curated[curated[SPLIT] == split]
    rows = rows.loc[rows.index.repeat(rows[SAMPLE_COUNT])]
    return Samples(
        inputs=pixels[rows["row"]][..., np.newaxis],
        labels=rows["number"].to_numpy(np.int64),
        weights=rows[SAMPLE_WEIGHT].to_numpy(np.float32),
    )


def metrics_of(
    labels: np.ndarray, predictions: np.ndarray, num_classes: int, counts: np.ndarray
) -> dict[str, np.ndarray]:
    """Macro-F1, worst class recall and accuracy, each (R,), the mean over the seeds.

    Args:
        labels: int (N,).
        predictions: int (S, N), of S seeds.
        num_classes: K.
        counts: int (R, N), how often each resample holds each face.
    """
    metrics: dict[str, list[np.ndarray]] = {"macro-F1": [], "worst recall": [], "accuracy": []}
    for said in predictions:
        cells = np.eye(num_classes**2)[labels * num_classes + said]
        confusion = (counts @ cells).reshape(-1, num_classes, num_classes)
        right = np.diagonal(confusion, axis1=1, axis2=2)
        labeled, predicted = confusion.sum(axis=2), confusion.sum(axis=1)
        metrics["macro-F1"].append((2 * right / (labeled + predicted)).mean(axis=1))
        metrics["worst recall"].append((right / labeled).min(axis=1))
        metrics["accuracy"].append(right.sum(axis=1) / labeled.sum(axis=1))
    return {name: np.mean(values, axis=0) for name, values in metrics.items()}


def main() -> None:
    """Trains each way with each seed, and prints a row a way and split."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--methods", nargs="+", choices=get_args(Method), default=get_args(Method))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    flags = parser.parse_args()
    expressions = read_settings(DataSettings, "data").expressions
    settings = read_settings(RebalanceSettings, "rebalance")
    row = model_named(MODEL)
    training_settings = read_settings(row.settings_class, f"models.{MODEL}")
    manifest, pixels = read_faces(
        output("ingest", "manifest.parquet"), output("ingest", "pixels.npy")
    )
    places = dict(zip(manifest[PATH], range(len(manifest)), strict=True))
    quality = read_table(output("mislabels", "label_quality.parquet"))[[PATH, LABEL_QUALITY]]
    assignments = read_table(output("split", "assignments.parquet"))
    faces = assignments.merge(manifest[[PATH, LABEL]], on=PATH).merge(quality, "left", on=PATH)
    decisions = latest_decisions(read_decisions(RELABELS, expressions=expressions))
    print(f"{'method':<14}{'split':<12}{'macro-F1':>24}{'worst recall':>24}{'accuracy':>24}")
    for method in flags.methods:
        curated, _ = curate(
            *(faces, decisions),
            method=method,
            min_label_quality=settings.min_label_quality,
            seed=settings.seed,
        )
        curated = curated.assign(
            row=curated[PATH].map(places), number=curated[LABEL].map(expressions.index)
        )
        parts = {split: samples_of(curated, pixels, split) for split in (TRAIN, VALIDATION, TEST)}
        num_plain = int((curated[SPLIT] == TRAIN).sum())
        epochs = round(flags.epochs * num_plain / len(parts[TRAIN].labels))
        said: dict[str, list[np.ndarray]] = {VALIDATION: [], TEST: []}
        for seed in flags.seeds:
            seeded = training_settings.model_copy(
                update={"seed": seed, "epochs": epochs, "restore_best_weights": True}
            )
            make_repeatable(seed, deterministic=training_settings.deterministic)
            model = row.build(seeded, len(expressions))
            with tempfile.TemporaryDirectory() as logs:
                fit(
                    *(model, parts[TRAIN], parts[VALIDATION]),
                    settings=seeded,
                    logs=Path(logs),
                    checkpoints=Checkpoints(Path(logs)),
                )
            for split, predictions in said.items():
                probabilities = model.predict(parts[split].inputs, batch_size=512, verbose=0)
                predictions.append(probabilities.argmax(axis=1))
        for split, predictions in said.items():
            intervals = bootstrap_intervals(
                partial(metrics_of, parts[split].labels, np.stack(predictions), len(expressions)),
                len(parts[split].labels),
                num_resamples=500,
                seed=0,
            )
            words = [
                f"{one.value:.3f} ({one.low:.3f}-{one.high:.3f})" for one in intervals.values()
            ]
            print(f"{method:<14}{split:<12}" + "".join(f"{word:>24}" for word in words), flush=True)


if __name__ == "__main__":
    main()
