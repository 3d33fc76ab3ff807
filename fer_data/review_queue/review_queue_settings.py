"""Settings of the stage `review_queue`."""

from typing import Literal

from pydantic import Field

from fer_data.stages.settings import Settings

Balance = Literal["none", "equal"]


class ReviewQueueSettings(Settings):
    """Section `review_queue`."""

    budget: int = Field(ge=1)
    """How many faces the queue holds at most."""
    balance: Balance
    """How the budget is divided among the given classes: by rank alone, or the same for each."""


SECTIONS = {"review_queue": ReviewQueueSettings}
