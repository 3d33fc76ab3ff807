"""Lays a profile, a few settings in a file of their own, over `params.yaml`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from fer_data.core.errors import UserError
from fer_data.core.files import atomic_write
from fer_data.stages.settings import PARAMS_FILE, read_params

NULL = "tag:yaml.org,2002:null"
PROFILES_FOLDER = Path("profiles")


def read_profile(name: str, *, folder: Path = Path()) -> dict[str, Any]:
    """The settings of `profiles/NAME.yaml`.

    Raises:
        UserError: There is no such profile; the message names those that there are.
    """
    file = folder / PROFILES_FOLDER / f"{name}.yaml"
    if not file.is_file():
        names = sorted(path.stem for path in (folder / PROFILES_FOLDER).glob("*.yaml"))
        raise UserError(f"no profile '{name}': expected one of {', '.join(names) or 'none at all'}")
    return read_params(file)


def lay_over(overlay: Mapping[str, Any], *, folder: Path = Path()) -> list[str]:
    """Sets the overlay's settings in `params.yaml`, whose comments and order stay.

    Args:
        overlay: Sections with keys; a list replaces a list.
        folder: The workspace.

    Returns:
        The changed settings in words: `models.scratch.epochs: 30 -> 12`.

    Raises:
        UserError: There is no `params.yaml`, or the overlay has a key that it does not have, a value
            for a section, or keys below a value.
    """
    yaml, params = _loaded(folder)
    changes = list(_set(params, overlay, prefix=""))
    with atomic_write(folder / PARAMS_FILE) as beside:
        yaml.dump(params, beside)
    return changes


def check_overlay(overlay: Mapping[str, Any], *, folder: Path = Path()) -> None:
    """Refuses what `lay_over` would refuse, and changes nothing.

    Raises:
        UserError: As `lay_over`.
    """
    _, params = _loaded(folder)
    _set(params, overlay, prefix="")


def _loaded(folder: Path) -> tuple[YAML, Any]:
    """The settings with their comments, and what writes them."""
    file = folder / PARAMS_FILE
    read_params(file)  # refuses what is missing or broken, in one line
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096
    yaml.representer.add_representer(
        type(None), lambda representer, _: representer.represent_scalar(NULL, "null")
    )
    return yaml, yaml.load(file)


def _set(params: Any, overlay: Mapping[str, Any], *, prefix: str) -> list[str]:
    if not isinstance(params, dict):
        raise UserError(
            f"the profile sets '{prefix}{next(iter(overlay), '')}', but '{prefix[:-1]}' is no section "
            f"of {PARAMS_FILE}: it is {_plain(params)!r}"
        )
    changes: list[str] = []
    for key, value in overlay.items():
        if key not in params:
            raise UserError(f"the profile sets '{prefix}{key}', which {PARAMS_FILE} does not have")
        if isinstance(value, Mapping):
            changes += _set(params[key], value, prefix=f"{prefix}{key}.")
        elif isinstance(params[key], Mapping):
            some = f"{prefix}{key}.{next(iter(params[key]), 'KEY')}"
            raise UserError(
                f"the profile sets '{prefix}{key}' to {value!r}, but that is a section of "
                f"{PARAMS_FILE}: set its keys, such as '{some}'"
            )
        elif params[key] != value:
            changes.append(f"{prefix}{key}: {_plain(params[key])} -> {value}")
            if isinstance(value, list) and isinstance(params[key], list):
                params[key][:] = value  # keeps the list on its line
            else:
                params[key] = value
    return changes


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, list) else value
