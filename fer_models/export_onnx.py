"""Writes a model as ONNX, and reads it with ONNX Runtime.

In: `faces`, uint8 (N, 48, 48, 1). Out: `probabilities`, float32 (N, K). The metadata `expressions` are
the K classes, as a JSON list.
"""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import onnxruntime
import tensorflow as tf
import tf2onnx

from fer_data.schema import FACE_SIZE
from fer_models.formats import ExportedModel

_OPSET = 17  # ONNX Runtime 1.12, of 2022, reads it


def write(model: keras.Model, file: Path, *, expressions: tuple[str, ...]) -> None:
    """Writes the file."""
    faces = tf.TensorSpec((None, FACE_SIZE, FACE_SIZE, 1), tf.uint8, name="faces")
    graph = tf.function(lambda faces: {"probabilities": model(faces, training=False)})
    written, _ = tf2onnx.convert.from_function(graph, input_signature=[faces], opset=_OPSET)
    for value in (*written.graph.input, *written.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "N"
    onnx.helper.set_model_props(written, {"expressions": json.dumps(expressions)})
    onnx.save(written, file)


def read(file: Path) -> ExportedModel:
    """Loads the file.

    Raises:
        KeyError: It does not say which classes it tells apart.
    """
    session = onnxruntime.InferenceSession(file)
    expressions = json.loads(session.get_modelmeta().custom_metadata_map["expressions"])

    def ask(faces: np.ndarray) -> np.ndarray:
        answers: list[Any] = list(session.run(["probabilities"], {"faces": faces}))
        return answers[0]

    return ExportedModel(tuple(expressions), ask)
