"""What the stage `crossval` can be told."""

from pydantic import Field

from fer_models.networks.compact_settings import ModelSettings


class CrossvalSettings(ModelSettings):
    """Section `crossval`: how the network `compact` is trained on folds, over `training`."""

    num_networks: int = Field(ge=1, le=20)
    """How many networks predict each fold, each of a seed of its own; the mean of them counts."""
    calibration_fraction: float = Field(gt=0, le=0.5)
    """The part of the other folds' near groups that no network of the fold learns from: on them its
    probabilities are calibrated, and its epochs compared."""


SECTIONS = {"crossval": CrossvalSettings}
