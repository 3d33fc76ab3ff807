"""The settings that every model's section of `params.yaml` has: how it is trained."""

from typing import Literal

from pydantic import Field

from fer_data.params import Settings


class Recipe(Settings):
    """How a model is trained; a model's own settings class adds what its network needs."""

    epochs: int = Field(ge=1)
    """How often the network sees the whole of `train`."""
    batch_size: int = Field(ge=1)
    """Faces a step."""
    optimizer: Literal["rmsprop", "adam"]
    """The optimizer, with Keras' defaults except for the learning rate."""
    learning_rate: float = Field(gt=0, le=1)
    """The optimizer's step size, constant over the training."""
    keep_epoch: Literal["last", "best"]
    """Which epoch's weights are kept: the last one's, as in the paper, or those of the epoch with the
    best accuracy on `validation`."""
    deterministic: bool
    """Whether equal settings and data give equal weights, bit for bit, at some cost in speed."""
    seed: int = Field(ge=0)
    """Seed of initial weights, dropout and the order of the faces."""
