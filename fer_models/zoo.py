"""The models, one row each: a literal table that trainer, report and command line read."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING

from fer_data.stage import UserError
from fer_models.recipe import Recipe

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class PaperFigures:
    """What the paper reports for a model; None where it gives no figure.

    `accuracy` and `loss` are training figures; `val_accuracy` and `val_loss` were measured on the
    Testing folder, by networks that had seen its twins.
    """

    accuracy: float | None = None
    loss: float | None = None
    val_accuracy: float | None = None
    val_loss: float | None = None


@dataclass(frozen=True)
class Model:
    """A row of the zoo."""

    title: str
    """What the reports call it."""
    module: str
    """The module, imported when needed, with `build_model` and the class `ModelSettings`."""
    paper: PaperFigures

    @property
    def settings_class(self) -> type[Recipe]:
        """What the section `models.NAME` of `params.yaml` holds."""
        return import_module(self.module).ModelSettings

    @property
    def build(self) -> "Callable[..., keras.Model]":
        """The builder: settings and the number of classes K in; a model from uint8 faces to (N, K)."""
        return import_module(self.module).build_model


ZOO = MappingProxyType(
    {
        "scratch": Model(
            title="Eleven-layer CNN from scratch",
            module="fer_models.scratch",
            paper=PaperFigures(val_accuracy=0.5776),
        ),
    }
)


def model_named(name: str) -> Model:
    """The row with that name.

    Raises:
        UserError: There is none.
    """
    try:
        return ZOO[name]
    except KeyError:
        raise UserError(f"no model '{name}' in the zoo: expected one of {', '.join(ZOO)}") from None
