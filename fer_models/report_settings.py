"""What the stage `report` can be told."""

from pydantic import Field

from fer_data.params import Settings


class ReportSettings(Settings):
    """Section `report`."""

    models: tuple[str, ...] = Field(min_length=1)
    """The models on the page, in this order."""


SECTIONS = {"report": ReportSettings}
