"""Settings of the stage `review_queue`."""

from typing import Literal

from pydantic import Field

from fer_data.stages.settings import Seed, Settings

Balance = Literal["none", "equal"]


class ReviewQueueSettings(Settings):
    """Section `review_queue`."""

    budget: int = Field(ge=1)
    """How many faces the queue holds at most."""
    balance: Balance
    """How the budget is divided among the given classes: by rank alone, or the same for each."""
    audit_faces: int = Field(default=200, ge=0)
    """The size of the audit sample; 0 draws none."""
    audit_seed: Seed = 0
    """Of the audit sample: another one draws other faces."""
    min_decisions_to_learn: int = Field(default=100, ge=0)
    """From how many decisions on the queue learns from them, a tenth of them on the audit; 0: never."""


SECTIONS = {"review_queue": ReviewQueueSettings}
