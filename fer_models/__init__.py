"""What learns from the faces, how well it does, and how people use it.

`Predictor` reads photos, and `FacePrediction` is its answer; a user's mistake is a `UserError`. They are
imported when they are asked for: this package alone imports neither Keras nor TensorFlow.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

import fer_data  # noqa: F401 # before any module here imports Keras: see `fer_data.tensorflow_start`

if TYPE_CHECKING:
    from fer_data.core.errors import UserError
    from fer_models.inference.predictor import FacePrediction, Predictor

__all__ = ["FacePrediction", "Predictor", "UserError"]

_MODULES = {
    "FacePrediction": "fer_models.inference.predictor",
    "Predictor": "fer_models.inference.predictor",
    "UserError": "fer_data.core.errors",
}


def __getattr__(name: str) -> Any:
    """Imports what is asked for."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
