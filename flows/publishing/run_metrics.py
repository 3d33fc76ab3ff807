"""Reads the metrics of a run: what `evaluate` measured of each model that the report shows."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Self

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from fer_data.core.catalog import output
from fer_data.core.errors import UserError
from fer_data.core.schema import SPLIT, TEST, VALIDATION
from fer_data.core.tables import read_json, read_table
from fer_models.reporting.outcomes import Outcomes, outcomes_of
from flows.publishing.site import METRICS_NAME

ACCURACY = "accuracy"
MEASURES = {ACCURACY: "accuracy", "macro_f1": "macro-F1"}
"""What is compared, and how people read it."""
PREDICTIONS_NAME = "predictions.parquet"
Fraction = Annotated[float, Field(ge=0, le=1)]


class Figure(BaseModel):
    """One measure of one model, a fraction from 0 to 1, with its 95 % interval."""

    model_config = ConfigDict(frozen=True, strict=True, allow_inf_nan=False)

    value: Fraction
    low: Fraction
    high: Fraction

    @model_validator(mode="after")
    def _ends_in_order(self) -> Self:
        if self.low > self.high:
            raise ValueError("the interval's lower end lies above its upper end")
        return self


Figures = Mapping[str, Mapping[str, Mapping[str, Figure]]]
"""Figures by model, by split (`validation`, `test`) and by measure."""


def read_figures(workspace: Path) -> dict[str, dict[str, dict[str, Figure]]]:
    """Reads what `evaluate` measured of each model that the report shows.

    Args:
        workspace: Where the stages have run.

    Returns:
        The figures; one that is not defined is left out.

    Raises:
        UserError: An evaluation is missing, or holds something else.
    """
    file = output("report", METRICS_NAME, workspace=workspace)
    models = read_json(file)
    if not isinstance(models, dict) or not models:
        raise UserError(f"{file} names no models: `dvc repro report` makes it anew")
    return {model: _figures_of(model, workspace=workspace) for model in models}


def read_validation(workspace: Path, models: Iterable[str]) -> dict[str, pd.DataFrame]:
    """Reads what models say of the validation faces: `path`, `label` and `prediction`, by model.

    Raises:
        UserError: A table is missing, or damaged.
    """
    found: dict[str, pd.DataFrame] = {}
    for model in models:
        rows = read_table(
            output(f"evaluate@{model}", model, workspace=workspace) / PREDICTIONS_NAME
        )
        found[model] = rows[rows[SPLIT] == VALIDATION]
    return found


def outcomes_by_model(predictions: Mapping[str, pd.DataFrame]) -> dict[str, Outcomes]:
    """Which faces are predicted rightly, kept for the next run to be paired with."""
    return {model: outcomes_of(rows) for model, rows in predictions.items()}


def _figures_of(model: str, *, workspace: Path) -> dict[str, dict[str, Figure]]:
    file = output(f"evaluate@{model}", model, workspace=workspace) / METRICS_NAME
    measured = read_json(file)
    try:
        return {
            split: {
                measure: TypeAdapter(Figure).validate_python(measured[split][measure])
                for measure in MEASURES
                if measured[split][measure]["value"] is not None
            }
            for split in (VALIDATION, TEST)
        }
    except (KeyError, TypeError, ValidationError):
        raise UserError(
            f"{file} does not hold the figures of an evaluation: `dvc repro` makes it anew"
        ) from None
