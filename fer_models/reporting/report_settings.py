"""Settings of the stage `report`."""

from typing import Self

from pydantic import Field, model_validator

from fer_data.stages.settings import Settings


class SeedSpread(Settings):
    """The measured spread of a model's accuracy from seed to seed."""

    accuracy: float | None = Field(ge=0, lt=1)
    """The standard deviation, a fraction; None: it was not measured of these settings."""
    degrees_of_freedom: int = Field(ge=1)
    """Of that estimate: seeds less 1, where the same settings were trained with several."""


class Peer(Settings):
    """The measured accuracy of somebody else's model on the same Testing faces."""

    title: str = Field(min_length=1)
    """What the page calls it: package and version."""
    accuracy: float = Field(ge=0, le=1)
    """The accuracy, a fraction."""
    low: float = Field(ge=0, le=1)
    """The lower end of its 95 % interval."""
    high: float = Field(ge=0, le=1)
    """The upper end."""
    faces: int = Field(ge=1)
    """How many Testing faces it was measured on: the page shows it beside models of as many alone."""
    note: str = ""
    """What makes the comparison unequal, as the end of a sentence that begins with "The peer"."""

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if not self.low <= self.accuracy <= self.high:
            raise ValueError(
                f"got low {self.low}, accuracy {self.accuracy}, high {self.high}: expected them in order"
            )
        return self


class ReportSettings(Settings):
    """Section `report`."""

    models: tuple[str, ...] = Field(min_length=1)
    """The models on the page, in this order."""
    seed_spread: dict[str, SeedSpread | None] = Field(default_factory=dict)
    """How much a model's accuracy differs from seed to seed, for those of which it was measured."""
    min_vote_agreement: float = Field(0.6, gt=0.5, le=1)
    """The part of the votes on a Testing face that makes them clear."""
    peer: Peer | None = None
    """A model to compare with, where one was measured."""


SECTIONS = {"report": ReportSettings}
