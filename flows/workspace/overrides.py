"""Applies overrides to `params.yaml`: a preset, which is a file of a few settings, or single ones."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from fer_data.core.errors import UserError
from fer_data.core.files import atomic_write
from fer_data.stages.all_settings import all_sections
from fer_data.stages.defaults import descend, merged
from fer_data.stages.old_names import what_became_of
from fer_data.stages.pipeline_settings import ModelEntry
from fer_data.stages.settings import PARAMS_FILE, read_params

ENTRIES = "pipeline.models"
"""A section whose keys are entries of a list: null removes one, a whole one is added."""
NULL = "tag:yaml.org,2002:null"
PRESETS_FOLDER = Path("presets")
EARLIER_FOLDER = Path("profiles")


def read_preset(name: str, *, folder: Path = Path()) -> dict[str, Any]:
    """Reads the settings of `presets/NAME.yaml`.

    Raises:
        UserError: There is no such preset; the message names those that there are, or where it lies.
    """
    file = folder / PRESETS_FOLDER / f"{name}.yaml"
    if not file.is_file():
        earlier = folder / EARLIER_FOLDER / file.name
        if earlier.is_file():
            raise UserError(f"{earlier} is where presets were before: move it to {file.parent}")
        read_params(folder / PARAMS_FILE)  # says so where this is no workspace
        names = sorted(path.stem for path in (folder / PRESETS_FOLDER).glob("*.yaml"))
        raise UserError(f"no preset '{name}': expected one of {', '.join(names) or 'none at all'}")
    return read_params(file)


def apply_overrides(overrides: Mapping[str, Any], *, folder: Path = Path()) -> list[str]:
    """Sets settings in `params.yaml`, whose comments and order stay.

    Args:
        overrides: Sections with keys; a list replaces a list. A key that the section leaves to its
            defaults (`training`, `fine_tuning`) is added to it. `pipeline.models.NAME: null` removes a
            model from those to train; a whole entry, with all its keys, adds one.
        folder: The workspace.

    Returns:
        The changed settings in words: `models.scratch.epochs: 30 -> 12`.

    Raises:
        UserError: There is no `params.yaml`, or the overrides have a key that neither it nor the
            defaults of its section have, a value for a section, or keys below a value.
    """
    yaml, params = load_with_comments(folder / PARAMS_FILE)
    changes = _set(params, overrides, section="", below=_defaults(params))
    with atomic_write(folder / PARAMS_FILE) as beside:
        yaml.dump(params, beside)
    return changes


def check_overrides(overrides: Mapping[str, Any], *, folder: Path = Path()) -> None:
    """Refuses what `apply_overrides` would refuse, and changes nothing.

    Raises:
        UserError: As `apply_overrides`.
    """
    _, params = load_with_comments(folder / PARAMS_FILE)
    _set(params, overrides, section="", below=_defaults(params))


def load_with_comments(file: Path) -> tuple[YAML, Any]:
    """Reads settings with their comments.

    Args:
        file: A file of settings.

    Returns:
        What writes them, and the settings.

    Raises:
        UserError: The file is missing or broken.
    """
    read_params(file)  # refuses what is missing or broken, in one line
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096
    yaml.representer.add_representer(
        type(None), lambda representer, _: representer.represent_scalar(NULL, "null")
    )
    return yaml, yaml.load(file)


def _defaults(params: Mapping[str, Any]) -> dict[str, Any]:
    """What each section holds together with its defaults, nested as in `params.yaml`."""
    found: dict[str, Any] = {}
    for section, settings_class in all_sections().items():
        if settings_class.DEFAULTS and isinstance(descend(params, section), Mapping):
            target = found
            *above, last = section.split(".")
            for name in above:
                target = target.setdefault(name, {})
            target[last] = merged(params, section, defaults=settings_class.DEFAULTS)
    return found


def _set(
    params: Any, overrides: Mapping[str, Any], *, section: str, below: Mapping[str, Any]
) -> list[str]:
    """Sets keys of a section, for which `below` has what it leaves out."""
    prefix = f"{section}." if section else ""
    if not isinstance(params, dict):
        raise UserError(
            f"the overrides set '{prefix}{next(iter(overrides), '')}', but '{section}' is no section "
            f"of {PARAMS_FILE}: it is {_plain(params)!r}"
        )
    changes: list[str] = []
    for key, value in overrides.items():
        if key not in params and section == ENTRIES and _is_entry(value):
            entry = CommentedMap(value)
            entry.fa.set_flow_style()
            _add(params, key, entry)
            changes.append(f"{prefix}{key}: added")
            continue
        if key not in params and key not in below:
            now = what_became_of(f"{prefix}{key}")
            reason = f": {now}" if now else f", which {PARAMS_FILE} does not have"
            raise UserError(f"the overrides set '{prefix}{key}'{reason}")
        old = params.get(key, below.get(key))
        if value is None and section == ENTRIES:
            del params[key]
            changes.append(f"{prefix}{key}: removed")
        elif isinstance(value, Mapping):
            target = CommentedMap() if key not in params and isinstance(old, Mapping) else old
            inner = below.get(key)
            found = _set(
                target,
                value,
                section=f"{prefix}{key}",
                below=inner if isinstance(inner, Mapping) else {},
            )
            if found and key not in params and isinstance(target, CommentedMap):
                target.fa.set_flow_style()
                _add(params, key, target)
            changes += found
        elif isinstance(old, Mapping):
            some = f"{prefix}{key}.{next(iter(old), 'KEY')}"
            raise UserError(
                f"the overrides set '{prefix}{key}' to {value!r}, but that is a section of "
                f"{PARAMS_FILE}: set its keys, such as '{some}'"
            )
        elif old != value:
            changes.append(f"{prefix}{key}: {_plain(old)} -> {value}")
            if isinstance(value, list) and isinstance(params.get(key), list):
                if not (old and value):  # else `[]` comes on a line of its own, which is no YAML
                    if old and isinstance(params, CommentedMap) and not params[key].fa.flow_style():
                        params.ca.items.pop(key, None)  # which would break the lines below
                    params[key] = CommentedSeq()
                    params[key].fa.set_flow_style()
                params[key][:] = value  # keeps the list on its line
            elif key in params:
                params[key] = value
            else:
                _add(params, key, value)
    return changes


def _is_entry(value: Any) -> bool:
    """Whether it is a whole entry of the models to train."""
    return isinstance(value, Mapping) and set(value) == set(ModelEntry.model_fields)


def _add(params: Any, key: str, value: Any) -> None:
    """Adds a key before the last one, to which what follows belongs: empty lines and comments."""
    params.insert(max(len(params) - 1, 0), key, value)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, list) else value
