"""What the stage `ensemble` can be told."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator

from fer_models.core.training_settings import (
    AugmentationSettings,
    TrainingSettings,
)
from fer_models.networks.registry import ZOO, is_model


def _distinct_models(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) < len(names):
        raise ValueError("every member once")
    unknown = [name for name in names if not is_model(name)]
    if unknown:
        raise ValueError(
            f"no model '{unknown[0]}' in the zoo: expected two or more of {', '.join(ZOO)}"
        )
    return names


class EnsembleSettings(TrainingSettings):
    """Section `ensemble`: the members, and how the head is trained."""

    members: Annotated[tuple[str, ...], Field(min_length=2), AfterValidator(_distinct_models)]
    """Models of the zoo and repeats of them, in the order in which their outputs stand side by side."""
    head: Literal["best", "head", "mean", "calibrated_mean", "stacked"]
    """What is saved on top of them: the way of the lowest loss on `validation`, out of sample, or a
    certain one; `head` is the paper's, which the rest of this section trains."""
    stacking_l2: float = Field(gt=0)
    """Weight of the penalty of the stacked head's kernel, against the summed loss."""
    stacking_folds: int = Field(ge=2, le=20)
    """Folds of `validation` in which a way is fitted on the others to be compared."""

    @field_validator("augmentation")
    @classmethod
    def _faces_stay_as_they_are(cls, setting: AugmentationSettings) -> AugmentationSettings:
        if any(setting.model_dump().values()):
            raise ValueError("must be off: the head learns from outputs, not from faces")
        return setting


SECTIONS = {"ensemble": EnsembleSettings}
