"""Loads a trained model, and asks it: a `.keras` file and faces in, probabilities out."""

import zipfile
from pathlib import Path
from typing import Any, cast

import keras
import numpy as np

from fer_data.stage import UserError
from fer_models.batches import ordered_batches


def read_model(file: Path) -> keras.Model:
    """Loads a trained model: uint8 faces (N, 48, 48, 1) to probabilities (N, K).

    Raises:
        UserError: The file is missing, or is not a `.keras` file.
    """
    if not file.is_file():
        name = file.parent.name
        trainer = "ensemble" if name == "ensemble" else f"train@{name}"
        raise UserError(f"{file} is missing: `dvc repro {trainer}` makes it, `dvc pull` fetches it")
    if not zipfile.is_zipfile(file):
        raise UserError(f"{file} is not a Keras model: expected a `.keras` file")
    return cast(keras.Model, keras.saving.load_model(file, compile=False))


def predict(
    model: keras.Model, faces: np.ndarray, *, num_classes: int, batch_size: int
) -> np.ndarray:
    """The model's probabilities, float32 (N, K), of faces, uint8 (N, 48, 48, 1).

    Raises:
        UserError: The model has another number of classes, or gives what is no probability.
    """
    # Keras documents 0, 1 and 2, and types the default, "auto", alone.
    silent: Any = 0
    batches = ordered_batches(faces, batch_size=batch_size)
    probabilities = np.asarray(model.predict(batches, verbose=silent), np.float32)
    expected = (len(faces), num_classes)
    if probabilities.shape != expected:
        raise UserError(
            f"the model gives {probabilities.shape}, the records need {expected}: it was trained on "
            "other classes; `dvc repro` trains it anew"
        )
    num_broken = int((~np.isfinite(probabilities)).any(axis=1).sum())
    if num_broken:
        raise UserError(
            f"the model gives NaN for {num_broken} of {len(faces)} faces: its training diverged; "
            "lower its `learning_rate` in params.yaml"
        )
    return probabilities
