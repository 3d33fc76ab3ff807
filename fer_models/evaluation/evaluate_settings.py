"""What the stage `evaluate` can be told."""

from pydantic import Field

from fer_data.stages.settings import Seed, Settings


class MetricSettings(Settings):
    """How metrics are computed: a part of the section `evaluate`."""

    bootstrap_resamples: int = Field(ge=100)
    """How many resamples give the intervals."""
    calibration_bins: int = Field(ge=1)
    """Bins of equal width of the calibration error."""
    coverage: float = Field(gt=0, lt=1)
    """How often a set of expressions is to hold the given label."""
    seed: Seed
    """Seed of the resamples."""


class EvaluateSettings(MetricSettings):
    """Section `evaluate`."""

    batch_size: int = Field(ge=1)
    """Faces that the model sees at once: a matter of speed, memory and the metrics' last bits."""


SECTIONS = {"evaluate": EvaluateSettings}
