"""Reads and checks what predictions need of a model's `metrics.json` and `summary.json`."""

from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fer_data.core.errors import UserError

_Fraction = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class _Read(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True)  # and there is more than what is read


class _Value(_Read):
    value: _Fraction


class _Validation(_Read):
    accuracy: _Value


class _Calibration(_Read):
    # `evaluate` chooses 0.1 to 10. Far below, logits overflow, and probabilities are NaN.
    temperature: Annotated[float, Field(ge=0.01, le=100, allow_inf_nan=False)]


class _Conformal(_Read):
    threshold: _Fraction
    promised: _Fraction


class _Test(_Read):
    per_class: dict[str, Any]


class Metrics(_Read):
    """The metrics that `evaluate` measured, as far as predictions need them."""

    validation: _Validation | None = None
    """None of a model that has learned those faces, too."""
    calibration: _Calibration
    conformal: _Conformal
    test: _Test | None = None

    @property
    def expressions(self) -> tuple[str, ...] | None:
        """The classes that the model was measured by, in the order of its outputs; None if not known."""
        return tuple(self.test.per_class) if self.test and self.test.per_class else None


class Summary(_Read):
    """The summary of a training, as far as predictions need it."""

    title: str


R = TypeVar("R", bound=_Read)


def read_measured(kind: type[R], file: Path, *, name: str) -> R:
    """Reads a file of a model.

    Args:
        kind: `Metrics` or `Summary`.
        file: The file.
        name: The model's, for the error: the file may be a copy that is gone.

    Raises:
        UserError: It is not what a stage writes: no JSON, or a metric is missing, NaN or out of range.
    """
    try:
        return kind.model_validate_json(file.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise UserError(
            f"{file.name} of the model '{name}' is not what its stage wrote "
            f"({where}{': ' * bool(where)}{first['msg']}): `dvc repro evaluate@{name}` makes it again, "
            "or take another bundle"
        ) from None
