"""Writes a model for LiteRT (TensorFlow Lite), in float32 or with 8 bits, and reads it.

In: `faces`, uint8 (N, 48, 48, 1). Out: `probabilities`, float32 (N, K). The file is a zip archive, too,
as LiteRT's metadata tools make it: `labels.txt` in it has the K classes, one a line.
"""

import io
import os
import tempfile
import warnings
import zipfile
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from fer_models.core.safe_zip import BROKEN, LimitError, bounded_zip, copy_member
from fer_models.export import to_saved_model
from fer_models.export.formats import ExportedModel

_LABELS = "labels.txt"
_MOST_LABELS_BYTES = 100_000
_IDENTIFIER = b"TFL3"
_NO_DATE = (1980, 1, 1, 0, 0, 0)


def write(
    model: keras.Model,
    file: Path,
    *,
    expressions: tuple[str, ...],
    ranges: np.ndarray | None = None,
) -> None:
    """Writes the file.

    Args:
        model: From uint8 faces (N, 48, 48, 1) to probabilities (N, K).
        file: The file.
        expressions: The K classes.
        ranges: The faces, uint8 (N, 48, 48, 1), that choose the ranges of 8 bits; None for float32.
    """
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        # The faces stay uint8 and have no range to be found.
        warnings.filterwarnings("ignore", "Statistics for quantized inputs", UserWarning)
        saved = Path(folder) / "model"
        to_saved_model.write(model, saved, expressions=expressions)
        converter = tf.lite.TFLiteConverter.from_saved_model(
            str(saved), signature_keys=["serving_default"]
        )
        if ranges is not None:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.representative_dataset = lambda: ([face[np.newaxis]] for face in ranges)
        file.write_bytes(converter.convert())
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(zipfile.ZipInfo(_LABELS, _NO_DATE), "\n".join(expressions) + "\n")


def is_own(file: Path) -> bool:
    """Whether the file is what `write` writes: a FlatBuffer of LiteRT's, with its labels."""
    with file.open("rb") as stream:
        if stream.read(8)[4:] != _IDENTIFIER:
            return False
    try:
        with bounded_zip(file) as archive:
            return _LABELS in archive.namelist()
    except (LimitError, *BROKEN):
        return False


def read(file: Path) -> ExportedModel:
    """Loads the file.

    Raises:
        zipfile.BadZipFile, KeyError, LimitError: It does not say which classes it tells apart, or at
            a length that no list of them has.
    """
    labels = io.BytesIO()
    with bounded_zip(file) as archive:
        copy_member(archive, _LABELS, labels.write, most_bytes=_MOST_LABELS_BYTES)
    expressions = labels.getvalue().decode().splitlines()
    runner = Interpreter(str(file), num_threads=os.cpu_count()).get_signature_runner()
    return ExportedModel(tuple(expressions), lambda faces: runner(faces=faces)["probabilities"])
