"""Reads sections of `params.yaml` into checked, frozen settings."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeVar, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from fer_data.core.catalog import no_workspace
from fer_data.core.errors import UserError, one_line
from fer_data.core.schema import DROP, KEEP, UNDO
from fer_data.core.yaml_files import read_yaml
from fer_data.stages.defaults import descend, merged, stands_in
from fer_data.stages.old_names import old_keys_in_words

PARAMS_FILE = Path("params.yaml")
S = TypeVar("S", bound="Settings")
Seed = Annotated[int, Field(ge=0, le=4_000_000_000)]
"""Of random numbers: NumPy and Keras take 32 bits, and stages add small numbers to it."""

_SWITCHES = {"yes": True, "on": True, "no": False, "off": False}
"""What YAML 1.1 takes for booleans, and YAML 1.2 for text."""


class SettingsError(UserError):
    """A setting that is missing, misspelt, of the wrong type or out of its range."""


class Settings(BaseModel):
    """One section of `params.yaml`: frozen, without unknown keys, without silent conversions."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    DEFAULTS: ClassVar[tuple[str, ...]] = ()
    """Sections that hold what a section of this class leaves out; later ones go before earlier ones."""


def _distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) < len(names):
        raise ValueError("every expression once")
    return names


def _no_decisions(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in (KEEP, DROP, UNDO):
        if name in names:
            raise ValueError(f"'{name}' is what people decide about a face, and no expression")
    return names


_Names = Annotated[
    tuple[Annotated[str, Field(pattern=r"^[a-z][a-z_]*$")], ...],
    AfterValidator(_distinct),
    AfterValidator(_no_decisions),
]
Expressions = Annotated[_Names, Field(min_length=2)]
"""Names of classes."""


class DataSettings(Settings):
    """Section `data`: what all the stages must agree on."""

    expressions: Expressions
    """The classes, in the order of the columns of every `probabilities` array."""
    retired_expressions: _Names = ()
    """Classes of earlier times: decisions that name one are kept in their file, and do not apply."""

    @field_validator("retired_expressions")
    @classmethod
    def _left(cls, names: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        for name in names:
            if name in info.data.get("expressions", ()):
                raise ValueError(
                    f"'{name}' is one of `data.expressions`: take it out of one of both"
                )
        return names

    @property
    def known_expressions(self) -> tuple[str, ...]:
        """All names that a decision may have been made with."""
        return (*self.expressions, *self.retired_expressions)


def read_settings(settings_class: type[S], section: str, *, file: Path = PARAMS_FILE) -> S:
    """Reads one section of a parameter file.

    Args:
        settings_class: The class that says which keys the section has, with types and ranges.
        section: The section's name; dots descend: `models.scratch`.
        file: The YAML file.

    Returns:
        The checked settings.

    Raises:
        SettingsError: The file or the section is missing, or some of its keys are wrong. The
            message names each of them and where it stands, with what was found and what was expected.
    """
    return settings_from(read_params(file), settings_class, section, file=file)


def settings_from(
    params: Mapping[str, Any], settings_class: type[S], section: str, *, file: Path
) -> S:
    """One section of parameters that were read already; see `read_settings`."""
    if descend(params, section) is None:
        raise _refusal(params, f"{file} has no section '{section}'", file=file)
    values = merged(params, section, defaults=settings_class.DEFAULTS)
    try:
        # Strict validation of JSON lets a list stand for a tuple; of Python objects it does not.
        text = json.dumps(_as_meant(values, settings_class), default=str, allow_nan=False)
    except (TypeError, ValueError) as error:  # such as a date as a key, or a section within itself
        raise SettingsError(f"{file}: '{section}' holds what is no setting: {error}") from None
    try:
        return settings_class.model_validate_json(text)
    except ValidationError as error:
        words = _in_words(error, params, section, settings_class)
        raise _refusal(params, f"{file}: {words}", file=file) from None


def _refusal(params: Mapping[str, Any], words: str, *, file: Path) -> SettingsError:
    """The error; names of earlier versions explain more than what they lead to."""
    old_names = old_keys_in_words(params)
    return SettingsError(f"{file}: {old_names}" if old_names else words)


def _as_meant(values: Any, settings_class: type[Settings]) -> Any:
    """The values with `on` and `off` as the setting wants them: as booleans, or as words."""
    if not isinstance(values, dict):
        return values
    meant = dict(values)
    for name, field in settings_class.model_fields.items():
        kind, value = field.annotation, meant.get(name)
        if isinstance(kind, type) and issubclass(kind, Settings):
            if name in meant:
                meant[name] = _as_meant(value, kind)
        elif kind is bool and isinstance(value, str):
            meant[name] = _SWITCHES.get(value.lower(), value)
        elif {"on", "off"} <= set(get_args(kind)) and value not in get_args(kind):
            switch = _SWITCHES.get(value.lower()) if isinstance(value, str) else value
            if isinstance(switch, bool):
                meant[name] = "on" if switch else "off"
    return meant


def read_params(file: Path = PARAMS_FILE) -> dict[str, Any]:
    """The whole of a parameter file, unchecked.

    Raises:
        SettingsError: The file is missing, is no YAML in UTF-8, has a key twice, or is no mapping.
    """
    try:
        values = read_yaml(file)
    except FileNotFoundError:
        raise SettingsError(no_workspace(file)) from None
    except UserError as error:
        raise SettingsError(str(error)) from None
    if not isinstance(values, dict):
        raise SettingsError(f"{file} holds {type(values).__name__}, expected sections with keys")
    return values


def _in_words(
    error: ValidationError,
    params: Mapping[str, Any],
    section: str,
    settings_class: type[Settings],
) -> str:
    secret = {name for name, field in settings_class.model_fields.items() if not field.repr}
    parts: list[str] = []
    for detail in error.errors():
        path = ".".join(map(str, detail["loc"]))
        place = stands_in(params, path, section, defaults=settings_class.DEFAULTS)
        key = one_line(f"{place}.{path}" if path else section)
        message = detail["msg"][0].lower() + detail["msg"][1:]
        if detail["type"] == "extra_forbidden":
            parts.append(f"'{key}' is not a setting: misspelt?")
        elif detail["type"] == "missing":
            parts.append(f"'{key}' is missing")
        elif detail["loc"][:1] and detail["loc"][0] in secret:
            parts.append(f"'{key}': got what may be a secret, so not shown: {message}")
        else:
            parts.append(f"'{key}': got {detail['input']!r}: {message}")
    return "; ".join(parts)
