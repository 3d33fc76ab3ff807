"""What the fine-tunes can be told."""

from typing import Annotated, ClassVar

from pydantic import Field

from fer_models.core.training_settings import TrainingSettings

_Rate = Annotated[float, Field(ge=0, lt=1)]


class ModelSettings(TrainingSettings):
    """Section `fine_tuning`, and what departs from it in the section of each fine-tune."""

    DEFAULTS: ClassVar[tuple[str, ...]] = (*TrainingSettings.DEFAULTS, "fine_tuning")

    weights: str = Field(min_length=1)
    """What the base starts from: `imagenet` (downloaded once), a file's path, or `none` (at random)."""
    input_size: int = Field(ge=1)
    """Height and width to which the faces are scaled for the base, in pixels."""
    trainable_layers: tuple[int | None, int | None]
    """Start and stop of a slice of the base's layers; all others keep the weights that were loaded."""
    freeze_batch_norms: bool
    """Whether all batch norms of the base keep what was loaded, in layers that are trained too."""
    dense_units: int = Field(ge=1)
    """Units of the hidden dense layer."""
    batch_norm: bool
    """Whether a batch norm follows it."""
    dropout: tuple[_Rate, _Rate]
    """The part of the features that is dropped in training, before the dense layer and after it."""
    l1: float = Field(ge=0)
    """Weight decay of the dense layer, of absolute values; with `l2`, an elastic net."""
    l2: float = Field(ge=0)
    """Weight decay of the dense layer, of squares."""


NAMES = ("resnet50", "mobilenetv2", "inceptionv3")
SECTIONS = {"fine_tuning": ModelSettings, **{f"models.{name}": ModelSettings for name in NAMES}}
