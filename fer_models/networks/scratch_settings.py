"""What the model `scratch` can be told."""

from pydantic import Field

from fer_models.core.training_settings import TrainingSettings


class ModelSettings(TrainingSettings):
    """Section `models.scratch`."""

    filters: tuple[int, ...] = Field(min_length=1, max_length=4)
    """Filters of each convolution, which a pooling follows; with three, there are eleven layers."""
    dense_units: int = Field(ge=1)
    """Units of the hidden dense layer."""
    dropout: float = Field(ge=0, lt=1)
    """The part of the last feature maps that is dropped in training."""
    l2: float = Field(ge=0)
    """Weight decay of the dense layer."""


SECTIONS = {"models.scratch": ModelSettings}
