"""What the models `compact` and `tiny`, which are one network in two sizes, can be told."""

from pydantic import Field

from fer_models.core.training_settings import TrainingSettings


class ModelSettings(TrainingSettings):
    """Sections `models.compact` and `models.tiny`."""

    filters: tuple[int, ...] = Field(min_length=1, max_length=4)
    """Filters of each stage, at half the size of the stage before."""
    residual: bool = True
    """Whether a stage is a convolution and a residual block, or two convolutions alone."""
    dropout: float = Field(ge=0, lt=1)
    """The part of the features that is dropped in training."""
    average_flip: bool = True
    """Whether the saved model averages the predictions for a face and for its horizontal flip, at twice
    the cost."""


SECTIONS = {"models.compact": ModelSettings, "models.tiny": ModelSettings}
