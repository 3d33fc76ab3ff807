"""Compares the metrics with those of when decisions were last accepted."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from fer_data.core.errors import UserError
from fer_data.core.schema import SPLIT, TEST, VALIDATION
from fer_models.reporting.outcomes import Outcomes
from fer_models.reporting.report_settings import SeedSpread
from fer_models.reporting.seed_spread import Difference, difference_from_kept

ACCURACY = "accuracy"
COMPARED = (ACCURACY, "macro_f1")
"""The metrics that are compared."""


class Accepted(BaseModel):
    """The metrics of when decisions were last accepted."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    by: str
    """Who accepted them."""
    at: str
    """When."""
    num_decisions: int
    """How many faces were decided then."""
    metrics: dict[str, dict[str, dict[str, float | None]]]
    """By model, split and metric, as `reports/metrics.json` held them."""
    outcomes: dict[str, dict[str, Outcomes]] = {}
    """By model and split: which faces were predicted rightly then. Earlier versions kept none."""


@dataclass(frozen=True)
class Change:
    """One metric of one model, then and now."""

    split: str
    """`validation` or `test`."""
    metric: str
    """One of `COMPARED`."""
    before: float
    """The value when decisions were accepted, as a fraction."""
    now: float
    """Today's value."""
    low: float
    """The lower end of today's 95 % interval."""
    high: float
    """Its upper end."""
    difference: Difference | None
    """Of accuracy, face by face; None of other metrics, and where the predictions of then were not kept,
    or are of other faces or labels."""

    @property
    def points(self) -> float:
        """By how many hundredths the metric rose; negative if it fell."""
        return 100 * (self.now - self.before)

    @property
    def beyond_faces(self) -> bool:
        """Whether the two trainings differ by more than the choice of faces explains."""
        return self.difference is not None and not (
            self.difference.low <= 0 <= self.difference.high
        )

    @property
    def beyond_chance(self) -> bool:
        """Whether faces and seeds together do not explain the difference."""
        return self.difference is not None and self.difference.covers_seeds and self.beyond_faces


def changes_since(
    accepted: Accepted,
    measured: Mapping[str, Mapping[str, Mapping[str, Any]]],
    predictions: Mapping[str, pd.DataFrame],
    *,
    seed_spread: Mapping[str, SeedSpread | None],
) -> dict[str, list[Change]]:
    """Compares today's metrics with those of the last acceptance.

    Args:
        accepted: What was measured then.
        measured: Today's evaluations by model, as `evaluate` writes them: by split, each metric with
            `value`, `low` and `high`.
        predictions: Today's, by model: `path`, `split`, `label` and `prediction`.
        seed_spread: By model, as far as it was measured.

    Returns:
        For each model that was measured both times, in the order of `measured`: its metrics on
        validation and on test, save those that are not defined on either side.
    """
    found: dict[str, list[Change]] = {}
    for name, splits in measured.items():
        if name not in accepted.metrics:
            continue
        paired = {
            split: difference_from_kept(
                accepted.outcomes.get(name, {}).get(split),
                predictions[name][predictions[name][SPLIT] == split],
                seed_spread.get(name),
            )
            for split in (VALIDATION, TEST)
        }
        found[name] = [
            Change(
                *(split, metric, before, now["value"], now["low"], now["high"]),
                difference=paired[split] if metric == ACCURACY else None,
            )
            for split in (VALIDATION, TEST)
            for metric in COMPARED
            if (before := accepted.metrics[name].get(split, {}).get(metric)) is not None
            and (now := splits[split][metric])["value"] is not None
        ]
    return found


def read_accepted(file: Path) -> Accepted | None:
    """Reads the metrics of when decisions were last accepted; None if none ever were.

    Raises:
        UserError: The file is missing, or holds something else.
    """
    mend = f"`git checkout {file}` brings it back"
    try:
        return TypeAdapter(Accepted | None).validate_json(file.read_bytes())
    except FileNotFoundError:
        raise UserError(f"{file} is missing: {mend}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"] if part != Accepted.__name__)
        message = first["msg"][0].lower() + first["msg"][1:]
        raise UserError(f"{file}: {where + ': ' if where else ''}{message}: {mend}") from None
