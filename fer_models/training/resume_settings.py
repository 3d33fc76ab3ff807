"""What becomes of interrupted trainings."""

from typing import Literal

from fer_data.stages.settings import Settings


class ResumeSettings(Settings):
    """Section `checkpoints`: it holds for every training, and changes no finished one."""

    resume: Literal["continue", "exact"]
    """Whether a training that was interrupted under other conditions goes on and says so, or is
    refused."""


SECTIONS = {"checkpoints": ResumeSettings}
