"""The export formats, and the reader of exported models.

Converters and runtimes are an extra of the package, so a format names its module, which is imported when
it is needed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from fer_data.core.errors import UserError
from fer_data.core.schema import FACE_SIZE


@dataclass(frozen=True)
class Format:
    """An export format."""

    module: str
    """The module, imported when needed, with `write`, `read`, and `is_own` of a file."""
    suffix: str
    """Of the file's name; of a folder's, where the format is one."""
    quantizes: bool = False
    """Whether it can hold weights and activations of 8 bits."""
    runs_code: bool = False
    """Whether a file of it can do more than compute, such as read and write files."""


_PROBE = np.zeros((2, FACE_SIZE, FACE_SIZE, 1), np.uint8)

FORMATS = MappingProxyType(
    {
        "onnx": Format("fer_models.export.to_onnx", ".onnx"),
        "litert": Format("fer_models.export.to_litert", ".tflite", quantizes=True),
        "saved_model": Format("fer_models.export.to_saved_model", ".saved_model", runs_code=True),
    }
)


@dataclass(frozen=True)
class ExportedModel:
    """An exported model, loaded by its runtime."""

    expressions: tuple[str, ...]
    """The K classes, as named in the file."""
    predict_on_batch: Callable[[np.ndarray], np.ndarray]
    """From uint8 faces (N, 48, 48, 1) to probabilities, float32 (N, K); on all processor cores."""

    @property
    def output_shape(self) -> tuple[int | None, int]:
        """As Keras gives it: N is open."""
        return None, len(self.expressions)


def is_exported(file: Path) -> bool:
    """Whether a file name has the suffix of an export format."""
    return file.suffix in {row.suffix for row in FORMATS.values()}


def read_exported(file: Path, *, trusted: bool = False) -> ExportedModel:
    """Loads an exported model; its suffix says which format it is.

    Args:
        file: The file, or the folder.
        trusted: Whether whoever made it may run code here, as some formats can.

    Raises:
        UserError: It is missing, is no model that `ferflow export` wrote, could run code and is not
            trusted, or its packages are missing.
    """
    if not file.exists():
        raise UserError(f"{file} is missing: `ferflow export` writes it")
    form = next(name for name, row in FORMATS.items() if row.suffix == file.suffix)
    if FORMATS[form].runs_code and not trusted:
        raise UserError(
            f"{file} is not loaded: a {form} can read and write any file of yours as it answers; if "
            "you trust who made it, add `--trust`, else ask for an .onnx, .tflite or .keras file"
        )
    module = imported(form)
    try:
        model: ExportedModel = module.read(file)
        shape = np.shape(model.predict_on_batch(_PROBE))
    except Exception as error:  # each runtime raises what it likes
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise UserError(f"{file} is no {form} model of `ferflow export`: {reason}") from None
    names = model.expressions
    if not all(isinstance(name, str) and name for name in names) or shape != (2, len(names)):
        raise UserError(
            f"{file} is no {form} model of `ferflow export`: it gives {shape} for 2 faces, "
            f"expected (2, {len(names)}), and names {names}"
        )
    return model


def imported(form: str) -> Any:
    """Imports the module of a format.

    Raises:
        UserError: Its packages are missing.
    """
    try:
        return import_module(FORMATS[form].module)
    except ModuleNotFoundError as error:
        raise UserError(
            f"the format {form} needs the package {error.name}: pip install 'ferflow[export]'"
        ) from None
