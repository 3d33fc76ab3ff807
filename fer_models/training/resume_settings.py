"""What holds for every training."""

from typing import Literal

from fer_data.stages.settings import Settings


class ResumeSettings(Settings):
    """Section `training`: what holds for every training, and changes no finished one."""

    resume: Literal["continue", "exact"]
    """What becomes of an interrupted training under other conditions: it goes on and says so, or it is
    refused."""


SECTIONS = {"training": ResumeSettings}
