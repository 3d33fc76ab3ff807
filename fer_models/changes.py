"""How the metrics moved since decisions were last accepted: then and now in, differences out."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from fer_data.schema import TEST, VALIDATION
from fer_data.stage import UserError

COMPARED = ("accuracy", "macro_f1")
"""The measures that are compared."""


class Accepted(BaseModel):
    """What was measured when decisions were last accepted."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    by: str
    """Who accepted them."""
    at: str
    """When."""
    num_decisions: int
    """How many faces were decided then."""
    metrics: dict[str, dict[str, dict[str, float | None]]]
    """By model, role and measure, as `reports/metrics.json` held them."""


@dataclass(frozen=True)
class Change:
    """One figure of one model, then and now."""

    role: str
    """`validation` or `test`."""
    measure: str
    """One of `COMPARED`."""
    before: float
    """The figure when decisions were accepted, as a fraction."""
    now: float
    """Today's figure."""
    low: float
    """The lower end of today's 95 % interval."""
    high: float
    """Its upper end."""

    @property
    def points(self) -> float:
        """By how many hundredths the figure rose; negative if it fell."""
        return 100 * (self.now - self.before)

    @property
    def within(self) -> bool:
        """Whether the earlier figure lies in today's interval, so that chance can explain the rest."""
        return self.low <= self.before <= self.high


def changes_since(
    accepted: Mapping[str, Mapping[str, Mapping[str, float | None]]],
    measured: Mapping[str, Mapping[str, Mapping[str, Any]]],
) -> dict[str, list[Change]]:
    """Compares today's figures with those of the last acceptance.

    Args:
        accepted: The figures then, by model, role and measure.
        measured: Today's evaluations by model, as `evaluate` writes them: by role, each measure with
            `value`, `low` and `high`.

    Returns:
        For each model that was measured both times, in the order of `measured`: its figures on
        validation and on test, save those that are not defined on either side.
    """
    return {
        name: [
            Change(role, measure, before, now["value"], now["low"], now["high"])
            for role in (VALIDATION, TEST)
            for measure in COMPARED
            if (before := accepted[name].get(role, {}).get(measure)) is not None
            and (now := roles[role][measure])["value"] is not None
        ]
        for name, roles in measured.items()
        if name in accepted
    }


def read_accepted(file: Path) -> Accepted | None:
    """Reads what was measured when decisions were last accepted; None if none ever were.

    Raises:
        UserError: The file is missing, or holds something else.
    """
    mend = f"`git checkout {file}` brings it back"
    try:
        return TypeAdapter(Accepted | None).validate_json(file.read_bytes())
    except FileNotFoundError:
        raise UserError(f"{file} is missing: {mend}") from None
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(str(part) for part in fault["loc"] if part != Accepted.__name__)
        message = fault["msg"][0].lower() + fault["msg"][1:]
        raise UserError(f"{file}: {where + ': ' if where else ''}{message}: {mend}") from None
