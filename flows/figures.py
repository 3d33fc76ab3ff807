"""What a run measured, beside what the published run did: figures with intervals in, changes out."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from fer_data.artifacts import output
from fer_data.schema import TEST, VALIDATION
from fer_data.stage import UserError
from fer_data.tables import read_json
from flows.site import METRICS_NAME

MACRO_F1 = "macro_f1"
MEASURES = {"accuracy": "accuracy", MACRO_F1: "macro-F1"}
"""What is compared, and how people read it."""


class Figure(BaseModel):
    """One measure of one model, a fraction from 0 to 1, with its 95 % interval."""

    model_config = ConfigDict(frozen=True, strict=True, allow_inf_nan=False)

    value: float
    low: float
    high: float


Figures = Mapping[str, Mapping[str, Mapping[str, Figure]]]
"""Figures by model, by role (`validation`, `test`) and by measure."""


@dataclass(frozen=True)
class Change:
    """One figure now and, where the published run has it, then; one of both is there."""

    model: str
    role: str
    measure: str
    now: Figure | None
    """None: this run lost the model, or the figure is not defined any more."""
    before: Figure | None

    @property
    def name(self) -> str:
        """What was measured, in words: `validation macro-F1 of scratch`."""
        return f"{self.role} {MEASURES[self.measure]} of {self.model}"

    @property
    def difference(self) -> float | None:
        """By how much the figure rose, a fraction; None where one of both runs has none."""
        if self.now is None or self.before is None:
            return None
        return self.now.value - self.before.value

    @property
    def verdict(self) -> str:
        """Where the figure lies: `within`, `above` or `below` the interval, `new` or `gone`."""
        if self.now is None:
            return "gone"
        if self.before is None:
            return "new"
        if self.now.value < self.before.low:
            return "below"
        return "above" if self.now.value > self.before.high else "within"

    @property
    def is_regression(self) -> bool:
        """Whether the change speaks against the run: nothing is ever chosen on `test`."""
        judged = (self.role, self.measure) == (VALIDATION, MACRO_F1)
        return judged and self.verdict in ("below", "gone")

    def __str__(self) -> str:
        """The change as a line for a log."""
        if self.now is None:
            then = "" if self.before is None else f"{self.before.value:.4f} -> "
            return f"{self.name}: {then}gone"
        if self.before is None:
            return f"{self.name}: {self.now.value:.4f}"
        return (
            f"{self.name}: {self.before.value:.4f} -> {self.now.value:.4f} "
            f"({self.difference:+.4f}), {self.verdict} the published interval "
            f"{self.before.low:.4f} to {self.before.high:.4f}"
        )


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


def changes(now: Figures, before: Figures) -> Iterator[Change]:
    """Compares figures with those of the published run.

    Args:
        now: Today's.
        before: The published run's; empty where none was published.

    Yields:
        A change for each of today's figures, and for each that the published run alone has.
    """
    for model, roles in now.items():
        for role, measures in roles.items():
            for measure, figure in measures.items():
                then = before.get(model, {}).get(role, {}).get(measure)
                yield Change(model, role, measure, now=figure, before=then)
    for model, roles in before.items():
        for role, measures in roles.items():
            for measure, figure in measures.items():
                if measure not in now.get(model, {}).get(role, {}):
                    yield Change(model, role, measure, now=None, before=figure)


def _figures_of(model: str, *, workspace: Path) -> dict[str, dict[str, Figure]]:
    file = output(f"evaluate@{model}", model, workspace=workspace) / METRICS_NAME
    measured = read_json(file)
    try:
        return {
            role: {
                measure: TypeAdapter(Figure).validate_python(measured[role][measure])
                for measure in MEASURES
                if measured[role][measure]["value"] is not None
            }
            for role in (VALIDATION, TEST)
        }
    except (KeyError, TypeError, ValidationError):
        raise UserError(
            f"{file} does not hold the figures of an evaluation: `dvc repro` makes it anew"
        ) from None
