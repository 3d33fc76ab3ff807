"""What `evaluate` reads, in small: records of noise and an untrained model."""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from fer_data.core import tfrecord
from fer_data.core.schema import (
    DUPLICATE,
    EXCLUDED,
    FACE_SIZE,
    LABEL_QUALITY,
    LEAK,
    NEAR_DUPLICATE,
    PATH,
    SPLIT,
    TEST,
    VALIDATION,
)
from fer_data.core.tables import write_table
from fer_models.core.serialization import save_model
from tests.support.command_words import words_of

EXPRESSIONS = ("angry", "happy", "sad")
SPLIT_LABELS = {VALIDATION: [0, 1] * 15, TEST: [0, 1, 2, 2] * 15}  # nobody is sad in `validation`
SECTION = {
    "batch_size": 16,
    "bootstrap_resamples": 100,
    "calibration_bins": 15,
    "coverage": 0.9,
    "seed": 0,
}
TRAINING = {
    "model": "tiny",
    "title": "Tiny model",
    "parameters": 6_915,
    "train_faces": 77,
    "epochs": 1,
    "saved_epoch": 1,
    "seed": 0,
    "settings": {"epochs": 1},
}
"""What its training says of the model, as far as the card needs it."""
PARAMS = json.dumps({"evaluate": SECTION})


def save_tiny_model(
    file: Path, *, expressions: tuple[str, ...] = EXPRESSIONS, bias: float = 0.0
) -> None:
    num_classes = len(expressions)
    faces = keras.Input((FACE_SIZE, FACE_SIZE, 1), dtype="uint8")
    features = keras.layers.Rescaling(1 / 255)(faces)
    features = keras.layers.Flatten()(features)
    probabilities = keras.layers.Dense(num_classes, "softmax")(features)
    model = keras.Model(faces, probabilities)
    kernel = np.random.default_rng(0).normal(scale=0.05, size=(FACE_SIZE**2, num_classes))
    model.set_weights([kernel, np.full(num_classes, bias)])
    save_model(model, file, expressions=expressions)


FLAGS = {
    "records": "data/tfrecords",
    "model": "models/tiny/model.keras",
    "training": "summary.json",
    "assignments": "assignments.parquet",
    "testing-quality": "testing_quality.parquet",
    "output": "reports/tiny",
}
"""Of the stage, in the folder of `make_evaluation`."""


def make_evaluation(folder: Path) -> None:
    """Writes settings, records of noise in two splits, and an untrained model."""
    generator = np.random.default_rng(0)
    tfrecords = folder / "data" / "tfrecords"
    tfrecords.mkdir(parents=True)
    for split, labels in SPLIT_LABELS.items():
        file = tfrecords / f"{tfrecord.NAME}-{split}.tfrecord-00000-of-00001"
        with tf.io.TFRecordWriter(str(file)) as writer:
            for number, label in enumerate(labels):
                face = generator.integers(256, size=(FACE_SIZE, FACE_SIZE), dtype=np.uint8)
                path, pixel_hash = f"{split}/{number}.jpg", f"{split}{number:060}"
                writer.write(
                    tfrecord.to_record(face, label, weight=1.0, path=path, pixel_hash=pixel_hash)
                )
    (tfrecords / tfrecord.EXPRESSIONS_FILE).write_text(json.dumps(EXPRESSIONS))
    (folder / "params.yaml").write_text(PARAMS)
    save_tiny_model(folder / "models" / "tiny" / "model.keras")
    (tfrecords / f"{tfrecord.NAME}-train.tfrecord-00000-of-00001").write_bytes(
        b"what it learned from"
    )
    (folder / "summary.json").write_text(json.dumps(TRAINING))
    paths = [f"{TEST}/{number}.jpg" for number in range(len(SPLIT_LABELS[TEST]))]
    rated = pd.DataFrame({PATH: paths[::-1], LABEL_QUALITY: np.linspace(1, 0, len(paths))})
    write_table(rated, folder / "testing_quality.parquet")
    # The first third of the Testing faces has a duplicate in Training, exact or near.
    leaks = [DUPLICATE] * 10 + [NEAR_DUPLICATE] * 10 + [""] * (len(paths) - 20)
    assignments = pd.DataFrame({PATH: ["training/0.jpg", *paths], LEAK: [DUPLICATE, *leaks]})
    splits = [EXCLUDED] + [TEST] * len(paths)
    write_table(assignments.assign(**{SPLIT: splits}), folder / "assignments.parquet")


def enter_evaluation(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Makes the folder of `make_evaluation` the current one, and types the stage's flags there."""
    make_evaluation(folder)
    monkeypatch.chdir(folder)
    monkeypatch.setattr("sys.argv", ["evaluate", *words_of(FLAGS)])
    return folder


def read_strictly(file: Path) -> dict[str, Any]:
    """JSON without NaN and Infinity, which Python would let pass."""

    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is not JSON")

    return json.loads(file.read_text(), parse_constant=refuse)
