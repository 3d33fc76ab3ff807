"""Writes a model as TensorFlow's SavedModel, and reads it.

Its signature `serving_default` takes `faces`, uint8 (N, 48, 48, 1), and gives `probabilities`, float32
(N, K); its signature `expressions` takes nothing and gives the K classes, as `expressions`.
"""

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from fer_data.core.schema import FACE_SIZE
from fer_models.export.formats import ExportedModel


def write(model: keras.Model, folder: Path, *, expressions: tuple[str, ...]) -> None:
    """Exports a model, from uint8 faces (N, 48, 48, 1) to probabilities (N, K), to a folder."""
    faces = tf.TensorSpec((None, FACE_SIZE, FACE_SIZE, 1), tf.uint8, name="faces")
    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint(
        "serving_default",
        lambda faces: {"probabilities": model(faces, training=False)},
        input_signature=[faces],
    )
    archive.add_endpoint(
        "expressions", lambda: {"expressions": tf.constant(expressions)}, input_signature=[]
    )
    archive.write_out(str(folder), verbose=False)


def is_own(_: Path) -> bool:
    """Whether a file, which is never replaced by a folder, is an export."""
    return False


def read(folder: Path) -> ExportedModel:
    """Loads the folder.

    Raises:
        OSError: It holds no model.
        KeyError: It does not say which classes it tells apart.
    """
    signatures = tf.saved_model.load(str(folder)).signatures
    expressions = signatures["expressions"]()["expressions"].numpy()
    serving = signatures["serving_default"]

    def predict(faces: np.ndarray) -> np.ndarray:
        return serving(faces=tf.constant(faces))["probabilities"].numpy()

    return ExportedModel(tuple(name.decode() for name in expressions), predict)
