"""The registry of models: one row each, read by trainer, report and command line."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from fer_data.core.errors import UserError
from fer_data.stages.pipeline_settings import repeated
from fer_data.stages.settings import PARAMS_FILE, read_settings
from fer_models.core.training_settings import TrainingSettings

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class PaperMetrics:
    """The metrics that the paper reports for a model; None where it gives none.

    `accuracy` and `loss` were measured on its training set, `val_accuracy` and `val_loss` on the Testing
    folder, by networks that had seen its duplicates.
    """

    accuracy: float | None = None
    loss: float | None = None
    val_accuracy: float | None = None
    val_loss: float | None = None


@dataclass(frozen=True)
class Base:
    """A network of `keras.applications` that a fine-tune starts from."""

    application: str
    """Its name there."""
    preprocessing: Literal["caffe", "tf"]
    """What its ImageNet weights expect: grey levels less ImageNet's mean of each channel, or -1 to 1."""
    min_size: int
    """The smallest input that it takes, in pixels."""


@dataclass(frozen=True)
class Model:
    """A row of the registry."""

    title: str
    """Its name in reports."""
    module: str
    """The module, imported when needed, with `build_model` and the class `ModelSettings`."""
    paper: PaperMetrics
    base: Base | None = None
    """The base of a fine-tune; None for other models."""

    @property
    def settings_class(self) -> type[TrainingSettings]:
        """The class of the section `models.NAME` of `params.yaml`."""
        return import_module(self.module).ModelSettings

    @property
    def build(self) -> "Callable[..., keras.Model]":
        """The function from settings and the number of classes K to a model."""
        builder = import_module(self.module).build_model
        return partial(builder, base=self.base) if self.base else builder

    def title_with(self, settings: TrainingSettings) -> str:
        """Its name in reports for a training with these settings."""
        if self.base is None:
            return self.title
        start = "from nothing" if getattr(settings, "weights", "none") == "none" else "fine-tuned"
        return f"{self.title}, {start}"

    def files(self, settings: TrainingSettings) -> list[Path]:
        """The files that a training with these settings starts from."""
        weights = getattr(settings, "weights", "none")
        return [] if weights in ("imagenet", "none") else [Path(weights)]


ZOO = MappingProxyType(
    {
        "scratch": Model(
            title="Eleven-layer CNN from scratch",
            module="fer_models.networks.scratch",
            paper=PaperMetrics(val_accuracy=0.5776),
        ),
        "resnet50": Model(
            title="ResNet50",
            module="fer_models.networks.fine_tuning",
            paper=PaperMetrics(accuracy=0.6822, loss=0.875, val_accuracy=0.6484, val_loss=0.9714),
            base=Base(application="ResNet50", preprocessing="caffe", min_size=32),
        ),
        "mobilenetv2": Model(
            title="MobileNetV2",
            module="fer_models.networks.fine_tuning",
            paper=PaperMetrics(accuracy=0.6535, loss=0.9133, val_accuracy=0.629, val_loss=0.9866),
            base=Base(application="MobileNetV2", preprocessing="tf", min_size=32),
        ),
        "inceptionv3": Model(
            title="InceptionV3",
            module="fer_models.networks.fine_tuning",
            paper=PaperMetrics(accuracy=0.6516, loss=0.9284, val_accuracy=0.6593, val_loss=0.9183),
            base=Base(application="InceptionV3", preprocessing="tf", min_size=75),
        ),
        "compact": Model(
            title="Compact network",
            module="fer_models.networks.compact",
            paper=PaperMetrics(),
        ),
        "tiny": Model(
            title="Tiny network, taught by the compact one",
            module="fer_models.networks.compact",
            paper=PaperMetrics(),
        ),
    }
)


def is_model(name: str) -> bool:
    """Whether the zoo has a model of that name, or one that it repeats."""
    return _repeated(name)[0] in ZOO


def model_named(name: str) -> Model:
    """Looks up the row of a model.

    A name that ends in a number is a repeat of another: `compact_1` is `compact` with a seed that is
    higher by 1.

    Raises:
        UserError: There is none.
    """
    original, number = _repeated(name)
    if original not in ZOO:
        raise UserError(f"no model '{name}' in the zoo: expected one of {', '.join(ZOO)}")
    row = ZOO[original]
    return replace(row, title=f"{row.title}, repeat {number}") if number else row


def settings_of(name: str, *, file: Path = PARAMS_FILE) -> TrainingSettings:
    """Reads the training settings of a model; a repeat has those of what it repeats, but for its seed.

    Raises:
        UserError: The zoo has no such model, or its section is wrong.
    """
    original, number = _repeated(name)
    settings = read_settings(model_named(name).settings_class, f"models.{original}", file=file)
    return settings.model_copy(update={"seed": settings.seed + number})


def _repeated(name: str) -> tuple[str, int]:
    """As `repeated`; a name of the zoo itself repeats nothing."""
    return (name, 0) if name in ZOO else repeated(name)
