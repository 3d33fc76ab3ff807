"""Small models of banded faces, as members of an ensemble, and the stages that ask them."""

import subprocess
from pathlib import Path

import keras
import numpy as np

from fer_models.core.serialization import save_model
from tests.support.command_words import words_of
from tests.support.models.tiny_dataset import EXPRESSIONS
from tests.support.warm.programs import warm_programs

ROOT = Path(__file__).parents[3]
NAMES = ("resnet50", "mobilenetv2")


def tiny_member(seed: int, *, num_classes: int = 3) -> keras.Model:
    """Rightly weighted but for noise; its batch norm would show if it did not infer."""
    layers = keras.layers
    faces = keras.Input((48, 48, 1), dtype="uint8")
    maps = layers.AveragePooling2D(8)(layers.Rescaling(1 / 255)(faces))  # 6x6
    features = layers.BatchNormalization()(layers.Flatten()(maps))
    probabilities = layers.Dense(num_classes, "softmax")(features)
    model = keras.Model(faces, probabilities)
    generator = np.random.default_rng(seed)
    kernel = generator.normal(scale=1.5, size=(36, num_classes))
    for row in range(36):
        kernel[row, row // 12 % num_classes] += 0.5  # where the class has its band
    mean, variance = np.full(36, 0.3), np.full(36, 0.05)
    model.set_weights([np.ones(36), np.zeros(36), mean, variance, kernel, np.zeros(num_classes)])
    return model


def write_members(folder: Path, *names: str, expressions: tuple[str, ...] = EXPRESSIONS) -> None:
    """Saves a small model for each name."""
    for seed, name in enumerate(names):
        model = tiny_member(seed, num_classes=len(expressions))
        save_model(model, folder / name / "model.keras", expressions=expressions)


def call(folder: Path, module: str, **flags: str) -> subprocess.CompletedProcess[str]:
    """Runs a stage in a folder, whatever its exit code."""
    return subprocess.run(
        [warm_programs() / "python", "-m", f"fer_models.stacking.{module}", *words_of(flags)],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )


def predict_member(folder: Path, name: str) -> subprocess.CompletedProcess[str]:
    """Writes the predictions of a member for the records."""
    model, predictions = f"models/{name}/model.keras", f"member_predictions/{name}.parquet"
    return call(
        folder, "member_predictions", records="records", model=model, predictions=predictions
    )
