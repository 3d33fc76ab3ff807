"""Loads trained models safely from `.keras` files, and predicts probabilities of faces."""

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import keras
import numpy as np

from fer_data.core.errors import UserError
from fer_data.core.schema import FACE_SIZE
from fer_models.core.class_names import check_expressions
from fer_models.core.input_pipeline import ordered_batches
from fer_models.core.safe_zip import BROKEN, LimitError, bounded_zip, copy_member

_CONFIG = "config.json"
_MOST_CONFIG_BYTES = 20_000_000
# What models that only compute are made of. Keras itself takes nearly all that it exports, functions
# that write files among it, and forbids single names.
_MODULES = (
    "keras.activations",
    "keras.constraints",
    "keras.dtype_policies",
    "keras.initializers",
    "keras.layers",
    "keras.models",
    "keras.ops",
    "keras.regularizers",
    "keras.src.activations",
    "keras.src.dtype_policies",
    "keras.src.initializers",
    "keras.src.layers",
    "keras.src.models",
    "keras.src.ops",
    "keras.src.regularizers",
)
# They run code, read other files, or load models of other formats.
_UNSAFE = frozenset(
    {
        "FlaxLayer",
        "IntegerLookup",
        "JaxLayer",
        "Lambda",
        "StringLookup",
        "TFSMLayer",
        "TextVectorization",
        "TorchModuleWrapper",
        "__lambda__",
    }
)


def read_model(file: Path, *, expressions: tuple[str, ...]) -> keras.Model:
    """Loads a trained model of the given classes.

    Args:
        file: The file.
        expressions: The K classes that it must predict, in the order of its probabilities.

    Returns:
        A model from uint8 faces (N, 48, 48, 1) to probabilities (N, K).

    Raises:
        UserError: The file is missing, is not a `.keras` file, or names other classes or none.
    """
    model = load_model(file)
    check_expressions(file, expressions)
    return model


def load_model(file: Path, *, called: str | None = None) -> keras.Model:
    """Loads a `.keras` file of any classes.

    No code in the file is run: a model that holds more than Keras' own layers is refused before Keras
    opens it.

    Args:
        file: The file.
        called: The name for messages, where the file is a copy; by default its path.

    Raises:
        UserError: The file is missing, is not a `.keras` file, is damaged, unpacks to more than a model
            does, holds code, or has other inputs or outputs.
    """
    if not file.is_file():
        name = file.parent.name
        trainer = "ensemble" if name == "ensemble" else f"train@{name}"
        raise UserError(f"{file} is missing: `dvc repro {trainer}` makes it, `dvc pull` fetches it")
    called = called or str(file)
    if not zipfile.is_zipfile(file):
        raise UserError(f"{called} is not a Keras model: expected a `.keras` file")
    _check_members(file, called=called)
    try:
        loaded: Any = keras.saving.load_model(file, compile=False, safe_mode=True)
    except Exception as error:  # each layer raises what it likes of a configuration or weights
        words = str(error).replace(str(file), called).strip()
        reason = words.partition("\n")[0][:200] or type(error).__name__
        raise UserError(
            f"{called} is no model that Keras {keras.__version__} reads: {reason}"
        ) from None
    shapes = getattr(loaded, "input_shape", None), getattr(loaded, "output_shape", None)
    takes, gives = shapes
    if takes != (None, FACE_SIZE, FACE_SIZE, 1) or not isinstance(gives, tuple) or len(gives) != 2:
        raise UserError(
            f"{called} takes {takes} and gives {gives}: expected faces, "
            f"(None, {FACE_SIZE}, {FACE_SIZE}, 1), and probabilities, (None, K)"
        )
    model = cast(keras.Model, loaded)
    # On a GPU, Keras would compile it by XLA again for each new number of faces.
    model.jit_compile = False
    return model


def _check_members(file: Path, *, called: str) -> None:
    """Reads all of the file once, so that what Keras unpacks is whole, bounded and without code."""
    try:
        with bounded_zip(file) as archive:
            for name in archive.namelist():
                if name != _CONFIG:
                    copy_member(archive, name, lambda _: None)
            text = io.BytesIO()
            copy_member(archive, _CONFIG, text.write, most_bytes=_MOST_CONFIG_BYTES)
        for module, name in _objects(json.loads(text.getvalue())):
            if name in _UNSAFE or not _is_safe(module):
                raise UserError(
                    f"{called} holds {module}.{name}, which can run code or read files: expected "
                    "a model of Keras' own layers alone"
                )
    except LimitError as error:
        raise UserError(f"{called} is refused: {error}") from None
    except RecursionError:
        raise UserError(
            f"{called} is not a Keras model: its {_CONFIG} is nested too deep"
        ) from None
    except BROKEN as error:
        raise UserError(f"{called} is a damaged Keras model: {error}") from None


def _objects(config: Any) -> Iterator[tuple[str, str]]:
    """Finds the module and name of every object in a configuration that Keras would look up."""
    if isinstance(config, dict):
        name = config.get("class_name")
        if isinstance(name, str):
            named = config.get("config") if name == "function" else name
            yield str(config.get("module") or "keras"), str(named)
        for value in config.values():
            yield from _objects(value)
    elif isinstance(config, list):
        for value in config:
            yield from _objects(value)


def _is_safe(module: str) -> bool:
    # Keras looks the functions of `builtins` up among its own activations and losses.
    return module in ("keras", "builtins") or any(
        module == known or module.startswith(f"{known}.") for known in _MODULES
    )


def predict(
    model: keras.Model, faces: np.ndarray, *, num_classes: int, batch_size: int
) -> np.ndarray:
    """Predicts probabilities, float32 (N, K), of faces, uint8 (N, 48, 48, 1).

    Raises:
        UserError: The model has another number of classes, or its output holds NaN.
    """
    # Keras documents 0, 1 and 2, and types the default, "auto", alone.
    silent: Any = 0
    batches = ordered_batches(faces, batch_size=batch_size)
    probabilities = np.asarray(model.predict(batches, verbose=silent), np.float32)
    expected = (len(faces), num_classes)
    if probabilities.shape != expected:
        raise UserError(
            f"the model gives {probabilities.shape}, the records need {expected}: it was trained on "
            "other classes; `dvc repro` retrains it"
        )
    num_broken = int((~np.isfinite(probabilities)).any(axis=1).sum())
    if num_broken:
        raise UserError(
            f"the model gives NaN for {num_broken} of {len(faces)} faces: its training diverged; "
            "lower its `learning_rate` in params.yaml"
        )
    return probabilities
