"""What the model `compact` can be told."""

from pydantic import Field

from fer_models.core.training_settings import TrainingSettings


class ModelSettings(TrainingSettings):
    """Section `models.compact`."""

    filters: tuple[int, ...] = Field(min_length=1, max_length=4)
    """Filters of each stage, at half the size of the stage before."""
    residual: bool = True
    """Whether a stage is a convolution and a residual block, or two convolutions alone."""
    dropout: float = Field(ge=0, lt=1)
    """The part of the features that is dropped in training."""


SECTIONS = {"models.compact": ModelSettings}
