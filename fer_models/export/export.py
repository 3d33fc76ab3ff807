"""Exports a trained model to another format, and verifies the export against the original.

Both predict the same faces; an export whose probabilities differ is not written.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from fer_data.core.errors import UserError
from fer_data.core.files import atomic_write
from fer_data.core.own_files import refuse_foreign
from fer_data.core.schema import TRAIN, VALIDATION
from fer_data.core.tfrecord import Examples
from fer_models.core.prediction import predict
from fer_models.export.formats import FORMATS, ExportedModel, imported

MOST_DIFFERENCE = 1e-3
"""Largest allowed difference in a probability between an exported model and the original."""

_COMPARED_FACES = 256
_CALIBRATING_FACES = 256
_BATCH = 128


@dataclass(frozen=True)
class Comparison:
    """The difference between an exported model and the original."""

    faces: int
    """Faces of `validation` on which the probabilities were compared."""
    difference: float
    """The largest difference in a probability."""
    accuracies: tuple[float, float] | None
    """Of the original and of the exported model on all of `validation`; None unless quantized."""

    def __str__(self) -> str:
        """Describes the comparison in a sentence."""
        words = (
            f"largest difference in probability {self.difference:.2g} on {self.faces} faces of "
            f"`{VALIDATION}`"
        )
        if self.accuracies is None:
            return words
        before, after = self.accuracies
        return f"{words}; accuracy there {after:.4f} with 8 bits, {before:.4f} without"


def check_format(form: str, *, int8: bool) -> None:
    """Checks format and quantization before anything is loaded."""
    if form not in FORMATS:
        raise UserError(f"no format '{form}': expected one of {', '.join(FORMATS)}")
    if int8 and not FORMATS[form].quantizes:
        able = ", ".join(row for row in FORMATS if FORMATS[row].quantizes)
        raise UserError(f"{form} has no 8 bits here: `--int8` is for {able}")


def check_target(target: Path, *, form: str) -> None:
    """Checks that the target is free, or an earlier export to the same format."""
    refuse_foreign(target, is_own=imported(form).is_own, command=f"ferflow export --format {form}")


def export_model(
    model: keras.Model,
    target: Path,
    *,
    form: str,
    expressions: tuple[str, ...],
    examples: Mapping[str, Examples],
    int8: bool = False,
) -> Comparison:
    """Exports a model, with scaling and labels inside, and compares it with the original.

    Args:
        model: From uint8 faces (N, 48, 48, 1) to probabilities (N, K).
        target: The file to write, or the folder.
        form: One of `FORMATS`.
        expressions: The K classes.
        examples: The faces of `validation`, for the comparison; with `int8` those of `train`, too, which
            calibrate the ranges of quantized values.
        int8: Whether weights and activations are quantized to 8 bits. The file is then a quarter as
            large, and its predictions differ: by how much is reported and not limited.

    Raises:
        UserError: There is no such format, it has no 8 bits, its packages are missing, `target` exists
            and is no export to this format, or the predictions of the export differ from those of the
            original. Nothing is written then.
    """
    check_format(form, int8=int8)
    check_target(target, form=form)
    module = imported(form)
    validation = examples[VALIDATION]
    faces = validation.faces if int8 else validation.faces[:_COMPARED_FACES]
    before = predict(model, faces, num_classes=len(expressions), batch_size=_BATCH)
    ranges = {"ranges": examples[TRAIN].faces[:_CALIBRATING_FACES]} if int8 else {}
    with atomic_write(target) as beside:
        module.write(model, beside, expressions=expressions, **ranges)
        after = _predict_in_batches(module.read(beside), faces)
        comparison = _compared(before, after, validation.labels if int8 else None)
        if not int8 and not comparison.difference <= MOST_DIFFERENCE:
            raise UserError(
                f"the {form} model differs from the original by {comparison.difference:.2g} in a "
                f"probability, {MOST_DIFFERENCE} is allowed: nothing written"
            )
    return comparison


def _predict_in_batches(model: ExportedModel, faces: np.ndarray) -> np.ndarray:
    batches = range(0, len(faces), _BATCH)
    return np.concatenate([model.predict_on_batch(faces[at : at + _BATCH]) for at in batches])


def _compared(before: np.ndarray, after: np.ndarray, labels: np.ndarray | None) -> Comparison:
    compared = slice(_COMPARED_FACES)
    difference = float(np.abs(before[compared] - after[compared]).max())
    accuracies = None
    if labels is not None:
        right = [float((one.argmax(axis=1) == labels).mean()) for one in (before, after)]
        accuracies = (right[0], right[1])
    return Comparison(len(before[compared]), difference, accuracies)
