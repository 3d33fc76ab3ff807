"""Settings of the stage `mislabels`."""

from typing import Literal

from pydantic import Field

from fer_data.stages.settings import Settings

Method = Literal["odds", "self_confidence", "normalized_margin", "confidence_weighted_entropy"]


class MislabelsSettings(Settings):
    """Section `mislabels`."""

    method: Method
    """The score that labels are ranked by, on probabilities that the labels of duplicates have moved."""
    duplicate_reliability: float = Field(gt=0, lt=1)
    """How often the label of a duplicate is taken to be right; 1 / K, and duplicates say nothing."""
    clear_ratio: float = Field(ge=1)
    """How many times as probable as any other class the suggested one is where a label is `wrong`."""
    min_outlier_score: float = Field(gt=0)
    """The lowest outlier score of an image that counts as no face, see `outliers.outlier_scores`."""


SECTIONS = {"mislabels": MislabelsSettings}
