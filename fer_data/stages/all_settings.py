"""Checks all sections of `params.yaml` at once, before any stage runs."""

import pkgutil
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from fer_data.core.catalog import GRAPH_FILE, with_items
from fer_data.core.yaml_files import read_yaml
from fer_data.stages.defaults import descend
from fer_data.stages.input_changes import filled, item_values
from fer_data.stages.old_names import old_keys_in_words
from fer_data.stages.pipeline_settings import repeated
from fer_data.stages.settings import (
    PARAMS_FILE,
    DataSettings,
    Settings,
    SettingsError,
    read_params,
    settings_from,
)

PACKAGES = ("fer_data", "fer_models", "flows")
"""Where settings are looked for: in modules whose names end in `settings`, which are light to import."""
MODELS_FOLDER, ENSEMBLE = "models", "ensemble"


def all_sections() -> dict[str, type[Settings]]:
    """The class of each section, by the section's name; dots descend."""
    found: dict[str, type[Settings]] = {"data": DataSettings}
    for package in PACKAGES:
        spec = find_spec(package)
        folders = spec.submodule_search_locations if spec else []
        for module in pkgutil.walk_packages(folders, f"{package}."):
            if module.name.endswith("settings") and not module.ispkg:
                found |= vars(import_module(module.name)).get("SECTIONS", {})
    return found


def check_settings(workspace: Path = Path(), *, complete: bool = True) -> None:
    """Checks each section, and what sections and `dvc.yaml` must agree on.

    Args:
        workspace: The folder of `params.yaml`.
        complete: Whether every section that a stage of `dvc.yaml` reads must be there.

    Raises:
        SettingsError: Something is wrong; the message names all of it.
    """
    file = workspace / PARAMS_FILE
    values = read_params(file)
    old_names = old_keys_in_words(values)
    if old_names:
        raise SettingsError(f"{file}: {old_names}")
    stages = _stages(workspace, values)
    needed = {key for stage in stages.values() for key in _params_of(stage)}
    errors: list[str] = []
    for section, settings_class in all_sections().items():
        try:
            settings_from(values, settings_class, section, file=file)
        except SettingsError as error:
            if descend(values, section) is not None or (complete and section in needed):
                errors.append(str(error).removeprefix(f"{file}: "))
    errors += _disagreements(values)
    if errors:
        raise SettingsError(f"{file}: {'; '.join(errors)}")


def _stages(workspace: Path, params: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        graph = read_yaml(workspace / GRAPH_FILE)
    except FileNotFoundError:
        return {}
    stages = graph.get("stages") if isinstance(graph, dict) else None
    found = stages if isinstance(stages, dict) else {}
    return with_items(
        {name: stage for name, stage in found.items() if isinstance(stage, dict)}, params
    )


def _params_of(stage: Mapping[str, Any]) -> set[str]:
    """The sections that a stage reads, for one of several with each of its items."""
    texts = [key for key in stage.get("do", stage).get("params", []) if isinstance(key, str)]
    items = stage.get("foreach")
    if not isinstance(items, Mapping):
        return set(texts)
    return {filled(text, item_values(name, items)) for text in texts for name in items}


def section_of(model: str, params: Mapping[str, Any]) -> str:
    """The section of a model's settings: that of what it repeats, where it is a repeat (`compact_1`)."""
    own = f"models.{model}"
    return f"models.{repeated(model)[0]}" if descend(params, own) is None else own


def _wrong_teachers(trained: Mapping[str, Any]) -> list[str]:
    """Models that start from one that is not trained, or that waits for them."""
    errors: list[str] = []
    teachers = {
        str(name): start.partition("/")[2]
        for name, entry in trained.items()
        if isinstance(entry, Mapping)
        and isinstance(start := entry.get("starts_from"), str)
        and start.startswith(f"{MODELS_FOLDER}/")
    }
    for name, teacher in teachers.items():
        key = f"'pipeline.models.{name}.starts_from': got {MODELS_FOLDER}/{teacher}"
        above, followed = teacher, {name}
        while above in teachers and above not in followed:
            followed.add(above)
            above = teachers[above]
        if teacher not in (*trained, ENSEMBLE):
            others = ", ".join(str(one) for one in trained if one != name)
            errors.append(f"{key}, expected a folder of weights, or of one of the models {others}")
        elif above in followed:
            errors.append(f"{key}, which waits for {name} itself: expected another model")
    return errors


def _disagreements(values: Mapping[str, Any]) -> list[str]:
    """What is right in itself, and does not fit another section."""
    errors: list[str] = []
    folds = descend(values, "pipeline.folds")
    number = descend(values, "split.num_folds")
    if folds is not None and isinstance(number, int) and folds != list(range(number)):
        errors.append(
            f"'split.num_folds': got {number}, but 'pipeline.folds' lists {folds}: change both"
        )
    trained = descend(values, "pipeline.models")
    if not isinstance(trained, Mapping):
        return errors
    for name, entry in trained.items():
        expected = section_of(str(name), values)
        section = entry.get("settings", expected) if isinstance(entry, Mapping) else expected
        if section != expected:
            errors.append(f"'pipeline.models.{name}.settings': got {section}, expected {expected}")
    errors += _wrong_teachers(trained)
    for key, known in (("ensemble.members", [*trained]), ("report.models", [*trained, ENSEMBLE])):
        chosen = descend(values, key)
        unknown = [str(name) for name in chosen if name not in known] if chosen else []
        if unknown:
            errors.append(
                f"'{key}': got {', '.join(unknown)}, expected some of {', '.join(map(str, known))}: "
                "'pipeline.models' lists the models to train"
            )
    return errors
