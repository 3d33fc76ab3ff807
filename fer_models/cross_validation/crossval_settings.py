"""What the stage `crossval` can be told."""

from pydantic import Field

from fer_data.stages.settings import Seed, Settings


class JudgeSettings(Settings):
    """The recipe of a network, in the section `crossval`."""

    filters: tuple[int, ...] = Field(min_length=1, max_length=4)
    """Filters of each stage: two convolutions, at half the size of the stage before."""
    dropout: float = Field(ge=0, lt=1)
    """The part of the features that is dropped in training."""
    phases: tuple[tuple[int, int], ...] = Field(min_length=1)
    """Size of the faces in pixels, and for how many epochs; one after the other."""
    batch_size: int = Field(ge=1)
    """Faces a step."""
    learning_rate: float = Field(gt=0, le=1)
    """AdamW's largest step size, reached after a tenth of the steps, lowered to 0 by a cosine."""
    weight_decay: float = Field(ge=0, lt=1)
    """Decay of the convolutions' and the last layer's weights, a step, times the step size."""
    label_smoothing: float = Field(ge=0, lt=1)
    """The part of each label that is spread over all classes."""
    shift: float = Field(ge=0, le=12)
    """How far a face is moved at most along each axis, in pixels."""
    rotation: float = Field(ge=0, le=1.6)
    """How far it is turned at most, in radians, either way."""
    zoom: float = Field(ge=0, lt=1)
    """How much its scale changes at most, as a fraction."""

    @property
    def interpolates(self) -> bool:
        """Whether faces are moved by parts of pixels, and so blurred."""
        return bool(self.shift or self.rotation or self.zoom)


class CrossvalSettings(JudgeSettings):
    """Section `crossval`: the complete recipe of the networks that judge labels."""

    num_networks: int = Field(ge=1, le=20)
    """How many networks judge each fold, each of a seed of its own; the mean of them counts."""
    calibration_fraction: float = Field(gt=0, le=0.5)
    """The part of the other folds' near groups that no network of the fold learns from: on them its
    probabilities are calibrated."""
    num_neighbors: int = Field(ge=1, le=100)
    """How many neighbors in feature space are found for each face of the fold."""
    deterministic: bool
    """Whether equal settings and data give equal probabilities, bit for bit."""
    seed: Seed
    """Seed of initial weights, moves, dropout and order; the fold's number is added."""


SECTIONS = {"crossval": CrossvalSettings}
