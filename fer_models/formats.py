"""What models are exported to, and read back from.

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

from fer_data.stage import UserError


@dataclass(frozen=True)
class Format:
    """A format that models are exported to."""

    module: str
    """The module, imported when needed, with `write` and `read`."""
    suffix: str
    """Of the file's name; of a folder's, where the format is one."""
    quantizes: bool = False
    """Whether it can hold weights and activations of 8 bits."""


FORMATS = MappingProxyType(
    {
        "onnx": Format("fer_models.export_onnx", ".onnx"),
        "litert": Format("fer_models.export_litert", ".tflite", quantizes=True),
        "saved_model": Format("fer_models.export_saved_model", ".saved_model"),
    }
)


@dataclass(frozen=True)
class ExportedModel:
    """An exported model, as its runtime asks it."""

    expressions: tuple[str, ...]
    """The K classes, as the file says."""
    predict_on_batch: Callable[[np.ndarray], np.ndarray]
    """From uint8 faces (N, 48, 48, 1) to probabilities, float32 (N, K); on all processor cores."""

    @property
    def output_shape(self) -> tuple[int | None, int]:
        """As Keras gives it: N is open."""
        return None, len(self.expressions)


def is_exported(file: Path) -> bool:
    """Whether the name is one of an exported model."""
    return file.suffix in {row.suffix for row in FORMATS.values()}


def read_exported(file: Path) -> ExportedModel:
    """Loads an exported model; its suffix says which format it is.

    Raises:
        UserError: It is missing, is no model that `ferflow export` wrote, or its packages are missing.
    """
    if not file.exists():
        raise UserError(f"{file} is missing: `ferflow export` writes it")
    form = next(name for name, row in FORMATS.items() if row.suffix == file.suffix)
    module = imported(form)
    try:
        return module.read(file)
    except Exception as error:  # each runtime raises what it likes
        reason = str(error).strip().partition("\n")[0]
        raise UserError(f"{file} is no {form} model of `ferflow export`: {reason}") from None


def imported(form: str) -> Any:
    """The module of a format.

    Raises:
        UserError: Its packages are missing.
    """
    try:
        return import_module(FORMATS[form].module)
    except ModuleNotFoundError as error:
        raise UserError(
            f"the format {form} needs the package {error.name}: pip install 'ferflow[export]'"
        ) from None
