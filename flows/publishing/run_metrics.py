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
METRIC_NAMES = {ACCURACY: "accuracy", "macro_f1": "macro-F1"}
"""What is compared, and how people read it."""
PREDICTIONS_NAME = "predictions.parquet"
Fraction = Annotated[float, Field(ge=0, le=1)]


class MetricValue(BaseModel):
    """One metric of one model, a fraction from 0 to 1, with its 95 % interval."""

    model_config = ConfigDict(frozen=True, strict=True, allow_inf_nan=False)

    value: Fraction
    low: Fraction
    high: Fraction

    @model_validator(mode="after")
    def _ends_in_order(self) -> Self:
        if self.low > self.high:
            raise ValueError("the interval's lower end lies above its upper end")
        return self


RunMetrics = Mapping[str, Mapping[str, Mapping[str, MetricValue]]]
"""Metrics by model, by split (`validation`, `test`) and by metric."""


def read_metrics(workspace: Path) -> dict[str, dict[str, dict[str, MetricValue]]]:
    """Reads what `evaluate` measured of each model that the report shows.

    Args:
        workspace: Where the stages have run.

    Returns:
        The metrics; one that is not defined is left out.

    Raises:
        UserError: An evaluation is missing, or holds something else.
    """
    file = output("report", METRICS_NAME, workspace=workspace)
    models = read_json(file)
    if not isinstance(models, dict) or not models:
        raise UserError(f"{file} names no models: `dvc repro report` makes it again")
    return {model: _metrics_of(model, workspace=workspace) for model in models}


def read_validation(workspace: Path, models: Iterable[str]) -> dict[str, pd.DataFrame]:
    """Reads the predictions of the validation faces: `path`, `label` and `prediction`, by model.

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
    """Lists which faces are predicted rightly, for a paired test with the next run."""
    return {model: outcomes_of(rows) for model, rows in predictions.items()}


def _metrics_of(model: str, *, workspace: Path) -> dict[str, dict[str, MetricValue]]:
    file = output(f"evaluate@{model}", model, workspace=workspace) / METRICS_NAME
    measured = read_json(file)
    try:
        return {
            split: {
                metric: TypeAdapter(MetricValue).validate_python(measured[split][metric])
                for metric in METRIC_NAMES
                if measured[split][metric]["value"] is not None
            }
            for split in (VALIDATION, TEST)
        }
    except (KeyError, TypeError, ValidationError):
        raise UserError(
            f"{file} does not hold the metrics of an evaluation: `dvc repro` makes it again"
        ) from None
