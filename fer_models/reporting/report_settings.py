"""What the stage `report` can be told."""

from pydantic import Field

from fer_data.stages.settings import Settings


class SeedSpread(Settings):
    """How much the accuracy of a model differs from seed to seed, as it was measured."""

    accuracy: float | None = Field(ge=0, lt=1)
    """The standard deviation, a fraction; None: it was not measured of these settings."""
    degrees_of_freedom: int = Field(ge=1)
    """Of that estimate: seeds less 1, where one recipe was trained with several."""


class ReportSettings(Settings):
    """Section `report`."""

    models: tuple[str, ...] = Field(min_length=1)
    """The models on the page, in this order."""
    seed_spread: dict[str, SeedSpread | None] = Field(default_factory=dict)
    """How much a model's accuracy differs from seed to seed, for those of which it was measured."""


SECTIONS = {"report": ReportSettings}
