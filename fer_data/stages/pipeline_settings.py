"""Section `pipeline` of `params.yaml`: what `dvc.yaml` has a stage each for."""

from typing import Annotated

from pydantic import Field

from fer_data.stages.settings import Settings


class ModelEntry(Settings):
    """A model that a stage trains."""

    module: str
    """The module of `fer_models/networks/` that builds it."""
    defaults: str
    """The section that its own, `models.NAME`, goes over: `training` or `fine_tuning`."""
    starts_from: str
    """The folder that its training starts from: of weights, or of the model that teaches it, such as
    `models/compact`."""


class PipelineSettings(Settings):
    """The items of the stages that run once for each. DVC reads them for its graph, no stage does."""

    folds: tuple[Annotated[int, Field(ge=0)], ...] = Field(min_length=2)
    """The folds of `crossval`, counted from 0: as many as `split.num_folds`."""
    models: dict[str, ModelEntry] = Field(min_length=1)
    """The models to train, by name."""


SECTIONS = {"pipeline": PipelineSettings}
