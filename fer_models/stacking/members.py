"""The members of an ensemble: what each says of the records, kept in a table, and one model of them all.

A table has one row a face of `train` and `validation`, in the order of the records: `split`, `path`,
`probabilities` and `model_hash`, which ties it to the very file that was asked.
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
"""What members are asked about: the faces that the head learns from, and those it is compared on."""

MODEL_HASH = "model_hash"
"""The column with the SHA-256 of the member's file, in hexadecimal."""


def read_outputs(
    file: Path, model_file: Path, *, examples: Mapping[str, Examples], expressions: tuple[str, ...]
) -> dict[str, np.ndarray]:
    """Reads what a member says of the records.

    Args:
        file: The table, `MEMBER.parquet`.
        model_file: The member's file, which must be the one that was asked.
        examples: For each split, the faces that it must have been asked about.
        expressions: The K classes, in the order of the records' numbers.

    Returns:
        For each split, float32 (N, K), in the order of the examples.

    Raises:
        UserError: The table is missing, or is of another model file, of other records or classes.
    """
    table = read_table(file, expressions=expressions)
    anew = f"`dvc repro frozen@{file.stem}` makes it anew"
    if set(table[MODEL_HASH]) != {sha256_of(model_file)}:
        raise UserError(f"{file} is not what {model_file} says, which has changed since: {anew}")
    outputs: dict[str, np.ndarray] = {}
    for split, asked in examples.items():
        rows = table[table[SPLIT] == split]
        if list(rows[PATH]) != asked.paths:
            raise UserError(
                f"{file} was made from other records: it has {len(rows)} faces of the split '{split}', "
                f"the records have {len(asked.paths)}; {anew}"
            )
        outputs[split] = probabilities_of(rows)
    return outputs


def build_head(num_members: int, num_classes: int) -> keras.Model:
    """Builds the one layer that an ensemble trains (the paper's stacked softmax).

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
    """Makes one model of frozen members and a head.

    Args:
        members: By name, models from uint8 faces (N, 48, 48, 1) to probabilities (N, K); they become
            untrainable, and their batch norms keep their means even in training.
        head: As `build_head` makes it, for as many members, in this order; or the `layers` of another
            way to combine them.

    Returns:
        A model from uint8 faces (N, 48, 48, 1) to probabilities (N, K); the head alone can be trained.
    """
    faces = keras.Input((FACE_SIZE, FACE_SIZE, 1), dtype="uint8", name="faces")
    outputs = []
    for name, member in members.items():
        frozen = keras.Model(member.inputs[0], member.outputs[0], name=name)
        frozen.trainable = False
        outputs.append(frozen(faces))
    side_by_side = keras.layers.Concatenate(name="outputs")(outputs)  # (N, M K)
    layers: Any = head
    if isinstance(head, keras.Model):
        layers = layers.get_layer("probabilities")
    return keras.Model(faces, layers(side_by_side), name="ensemble")
