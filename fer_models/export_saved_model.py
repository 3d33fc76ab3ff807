"""Writes a model as TensorFlow's SavedModel, and asks it.

Its signature `serving_default` takes `faces`, uint8 (N, 48, 48, 1), and gives `probabilities`, float32
(N, K); its signature `expressions` takes nothing and gives the K classes, as `expressions`.
"""

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from fer_data.schema import FACE_SIZE

_BATCH = 128


def write(model: keras.Model, folder: Path, *, expressions: tuple[str, ...]) -> None:
    """Writes the folder."""
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


def ask(folder: Path, faces: np.ndarray) -> np.ndarray:
    """The probabilities, float32 (N, K), of faces, uint8 (N, 48, 48, 1)."""
    ask_batch = tf.saved_model.load(str(folder)).signatures["serving_default"]
    answers = [
        ask_batch(faces=tf.constant(faces[start : start + _BATCH]))["probabilities"].numpy()
        for start in range(0, len(faces), _BATCH)
    ]
    return np.concatenate(answers)
