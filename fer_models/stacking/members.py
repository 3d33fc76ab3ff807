"""Reads the predictions of an ensemble's members, builds its head, and joins them to one model.

A table has one row a face of `train` and `validation`, in the order of the records: `split`, `path`,
`probabilities` and `model_hash`, the hash of the model file that made the predictions.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from fer_data.core.errors import UserError
from fer_data.core.files import sha256_of
from fer_data.core.schema import FACE_SIZE, PATH, SPLIT, TRAIN, VALIDATION
from fer_data.core.tables import probabilities_of, read_table
from fer_data.core.tfrecord import Examples

MEMBER_SPLITS = (TRAIN, VALIDATION)
"""The splits that members predict: the head is trained on the first and compared on the second."""

MODEL_HASH = "model_hash"
"""The column with the SHA-256 of the member's file, in hexadecimal."""


def read_member_predictions(
    file: Path, model_file: Path, *, examples: Mapping[str, Examples], expressions: tuple[str, ...]
) -> dict[str, np.ndarray]:
    """Reads the predictions of a member.

    Args:
        file: The table, `MEMBER.parquet`.
        model_file: The member's file, whose hash the table must carry.
        examples: For each split, the faces that the table must hold.
        expressions: The K classes, in the order of the records' numbers.

    Returns:
        For each split, float32 (N, K), in the order of the examples.

    Raises:
        UserError: The table is missing, or is of another model file, of other records or classes.
    """
    table = read_table(file, expressions=expressions)
    rebuild = f"`dvc repro member_predictions@{file.stem}` rebuilds it"
    if set(table[MODEL_HASH]) != {sha256_of(model_file)}:
        raise UserError(f"{file} was made by another version of {model_file}: {rebuild}")
    predictions: dict[str, np.ndarray] = {}
    for split, expected in examples.items():
        rows = table[table[SPLIT] == split]
        if list(rows[PATH]) != expected.paths:
            raise UserError(
                f"{file} was made from other records: it has {len(rows)} faces of the split '{split}', "
                f"the records have {len(expected.paths)}; {rebuild}"
            )
        predictions[split] = probabilities_of(rows)
    return predictions


def build_head(num_members: int, num_classes: int) -> keras.Model:
    """Builds the paper's stacked softmax: one dense layer, the only one that an ensemble trains.

    Args:
        num_members: M.
        num_classes: K.

    Returns:
        A model from the members' probabilities side by side, float32 (N, M K), to float32 (N, K).
    """
    outputs = keras.Input((num_members * num_classes,), name="outputs")
    dense = keras.layers.Dense(num_classes, "softmax", dtype="float32", name="probabilities")
    return keras.Model(outputs, dense(outputs), name="head")


def join(
    members: Mapping[str, keras.Model],
    head: keras.Model | Callable[[keras.KerasTensor], keras.KerasTensor],
) -> keras.Model:
    """Joins frozen members and a head to one model.

    Args:
        members: By name, models from uint8 faces (N, 48, 48, 1) to probabilities (N, K). They are made
            untrainable, so that their batch norms use the moving averages even in training.
        head: The model of `build_head` for these members in this order, or the method `layers` of
            another combiner.

    Returns:
        A model from uint8 faces (N, 48, 48, 1) to probabilities (N, K); the head alone can be trained.
    """
    faces = keras.Input((FACE_SIZE, FACE_SIZE, 1), dtype="uint8", name="faces")
    outputs: list[keras.KerasTensor] = []
    for name, member in members.items():
        # A model of the same layers under the member's name: names of layers must differ.
        frozen = keras.Model(member.inputs[0], member.outputs[0], name=name)
        frozen.trainable = False
        outputs.append(frozen(faces))
    side_by_side = keras.layers.Concatenate(name="outputs")(outputs)  # (N, M K)
    layers: Any = head
    if isinstance(head, keras.Model):
        layers = layers.get_layer("probabilities")
    return keras.Model(faces, layers(side_by_side), name="ensemble")
