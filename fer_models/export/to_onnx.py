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
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message

from fer_data.core.schema import FACE_SIZE
from fer_models.export.formats import ExportedModel

_OPSET = 17  # ONNX Runtime 1.12, of 2022, reads it
_EXPRESSIONS = "expressions"
_FIRST_BYTE = b"\x08"  # of the field `ir_version`, which is written first
_MOST_BYTES = 2**31  # of a protocol buffer


def write(model: keras.Model, file: Path, *, expressions: tuple[str, ...]) -> None:
    """Exports a model, from uint8 faces (N, 48, 48, 1) to probabilities (N, K), to a file."""
    faces = tf.TensorSpec((None, FACE_SIZE, FACE_SIZE, 1), tf.uint8, name="faces")
    graph = tf.function(lambda faces: {"probabilities": model(faces, training=False)})
    written, _ = tf2onnx.convert.from_function(graph, input_signature=[faces], opset=_OPSET)
    for value in (*written.graph.input, *written.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "N"
    named = json.dumps(expressions, allow_nan=False)
    onnx.helper.set_model_props(written, {_EXPRESSIONS: named})
    onnx.save(written, file)


def is_own(file: Path) -> bool:
    """Whether the file is what `write` writes: a model that says which classes it tells apart."""
    with file.open("rb") as stream:
        if stream.read(1) != _FIRST_BYTE or file.stat().st_size > _MOST_BYTES:
            return False
    try:
        model = onnx.load_model_from_string(file.read_bytes())
    except DecodeError:
        return False
    return any(entry.key == _EXPRESSIONS for entry in model.metadata_props)


def read(file: Path) -> ExportedModel:
    """Loads the file.

    Raises:
        KeyError: It does not say which classes it tells apart.
        ValueError: It asks for other files, which could be any of this machine.
    """
    content = file.read_bytes()
    if _has_external_data(onnx.load_model_from_string(content)):
        raise ValueError("its weights lie in other files: expected them inside")
    session = onnxruntime.InferenceSession(content)
    expressions = json.loads(session.get_modelmeta().custom_metadata_map[_EXPRESSIONS])

    def predict(faces: np.ndarray) -> np.ndarray:
        outputs: list[Any] = list(session.run(["probabilities"], {"faces": faces}))
        return outputs[0]

    return ExportedModel(tuple(expressions), predict)


def _has_external_data(message: Message) -> bool:
    """Whether any tensor of a model lies in another file, however deep it is in graphs and functions."""
    if isinstance(message, onnx.TensorProto):
        return bool(message.external_data) or message.data_location == onnx.TensorProto.EXTERNAL
    for field, value in message.ListFields():
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            children = [value] if isinstance(value, Message) else value
            if any(_has_external_data(child) for child in children):
                return True
    return False
