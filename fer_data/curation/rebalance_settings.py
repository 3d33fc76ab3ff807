"""Settings of the stage `rebalance`."""

from typing import Literal

from pydantic import Field

from fer_data.stages.settings import Seed, Settings

Method = Literal["none", "class_weight", "oversample", "undersample"]


class RebalanceSettings(Settings):
    """Section `rebalance`."""

    method: Method
    """What evens the classes out: weights in the loss, repeated faces, left out faces, or nothing."""
    min_label_quality: float = Field(ge=0, le=1)
    """Undecided `train` faces whose label quality lies below are left out; 0 keeps all."""
    soft_labels: bool = False
    """Whether `train` learns from the shares of the votes, where a face has votes."""
    seed: Seed
    """Seed of the choice of faces that are repeated or left out."""


SECTIONS = {"rebalance": RebalanceSettings}
