"""Section `pipeline` of `params.yaml`: what `dvc.yaml` has a stage each for."""

import re
from typing import Annotated

from pydantic import Field

from fer_data.stages.settings import Settings


def repeated(model: str) -> tuple[str, int]:
    """Splits the name of a repeat, such as `compact_1`.

    Returns:
        The name of the model that it repeats, and what its seed is higher by; of a name that does not
        end so, itself and 0.
    """
    found = re.fullmatch(r"(.+)_([1-9]\d{0,5})", model)
    return (found[1], int(found[2])) if found else (model, 0)


class ModelEntry(Settings):
    """A model that a stage trains."""

    module: str
    """The module of `fer_models/networks/` that builds it."""
    defaults: str
    """The section that its own goes over: `training` or `fine_tuning`."""
    settings: str
    """Its own section: `models.NAME`; a repeat, such as `compact_1`, has that of what it repeats."""
    starts_from: Annotated[str, Field(min_length=1)]
    """The folder that its training starts from: of weights, or of the model that teaches it, such as
    `models/compact`."""


class PipelineSettings(Settings):
    """The items of the stages that run once for each. DVC reads them for its graph, no stage does."""

    folds: tuple[Annotated[int, Field(ge=0)], ...] = Field(min_length=2)
    """The folds of `crossval`, counted from 0: as many as `split.num_folds`."""
    models: dict[str, ModelEntry] = Field(min_length=1)
    """The models to train, by name."""


SECTIONS = {"pipeline": PipelineSettings}
