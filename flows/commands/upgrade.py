"""Rewrites a `params.yaml` of an earlier version: renamed settings, and defaults said once."""

import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml.comments import CommentedMap, CommentedSeq

from fer_data.core.errors import UserError
from fer_data.core.files import atomic_write
from fer_data.stages.defaults import descend, merged
from fer_data.stages.old_names import Renamed, old_keys
from fer_data.stages.settings import PARAMS_FILE
from fer_models.core.training_settings import TrainingSettings
from fer_models.networks.registry import ZOO
from flows.commands.yaml_comments import comment_of, remove_key
from flows.housekeeping.retention_settings import add_section
from flows.workspace.new_settings import add_new_settings
from flows.workspace.overrides import load_with_comments

BACKUP = "params.yaml.before-upgrade"


def upgrade(folder: Path = Path()) -> list[str]:
    """Rewrites `params.yaml` in place, whose comments stay.

    Args:
        folder: The workspace.

    Returns:
        What was done, a line each; nothing where the file is of this version already.

    Raises:
        UserError: There is no such file, it is broken, a setting has an old name and a new one with
            different values, or there is a backup of an earlier upgrade.
    """
    file = folder / PARAMS_FILE
    yaml, params = load_with_comments(file)
    changes = _move_noise(params)
    changes += [_rename(params, key, renamed) for key, renamed in list(old_keys(params))]
    changes += _share(params)
    changes += _list_items(params)
    changes += add_section(params)
    changes += add_new_settings(params)
    if not changes:
        return []
    backup = folder / BACKUP
    if backup.exists():
        raise UserError(f"{backup} is of an earlier upgrade: move it away, and run this again")
    shutil.copyfile(file, backup)
    with atomic_write(file) as beside:
        yaml.dump(params, beside)
    return [*changes, f"the file as it was: {backup}"]


def _rename(params: CommentedMap, key: str, renamed: Renamed) -> str:
    """Gives a setting its new name, in its old place where it stays in its section."""
    section, _, last = key.rpartition(".")
    values = descend(params, section) if section else params
    now = renamed.now(key)
    try:
        value = renamed.value(values[last])
    except (TypeError, ValueError):
        raise UserError(
            f"{PARAMS_FILE} has '{key}: {values[last]}', which has no equal now: "
            f"{renamed.in_words(key)}; set that by hand"
        ) from None
    if now is None:
        remove_key(values, last)
        return renamed.in_words(key)
    if renamed.convert and isinstance(value, Mapping):
        _replace(values, key, value)
        return renamed.in_words(key)
    new_section, _, new_last = now.rpartition(".")
    target = descend(params, new_section) if new_section else params
    if target is None and "." in new_section:
        above, _, name = new_section.rpartition(".")
        descend(params, above)[name] = target = CommentedMap()
        target.fa.set_flow_style()
    elif target is None:  # in the place of a section that it was alone in
        place = list(params).index(section.partition(".")[0])
        target = CommentedMap()
        params.insert(place, new_section, target)
        if section in params.ca.items:
            params.ca.items[new_section] = params.ca.items.pop(section)
    if new_last in target and target[new_last] != value:
        raise UserError(
            f"{PARAMS_FILE} has '{key}' and '{now}' with another value: keep one of them"
        )
    comment = values.ca.items.get(last)
    place = list(values).index(last) if target is values else len(target)
    stays = target is values or not target
    # One on other values would mislead.
    if comment is not None and stays and not (renamed.values or renamed.convert):
        values.ca.items.pop(last)
        target.ca.items[new_last] = comment
    remove_key(values, last)
    target.pop(new_last, None)
    target.insert(place, new_last, value)
    if not values and section:
        params.pop(section)
    return renamed.in_words(key)


def _move_noise(params: CommentedMap) -> list[str]:
    """Moves salt and pepper to `augmentation`: a fraction, which is 0 where it was never applied.

    A section may hold a part of it alone: it is read over its defaults.
    """
    models = [f"models.{name}" for name in params.get("models") or ()]
    found: dict[str, Mapping[str, Any]] = {}
    for section in ("training", "fine_tuning", "ensemble", *models):
        if isinstance(descend(params, f"{section}.salt_and_pepper"), Mapping):
            row = ZOO.get(section.removeprefix("models."))
            defaults = row.settings_class.DEFAULTS if row else ("training",)
            found[section] = merged(params, section, defaults=defaults)["salt_and_pepper"]
    for section, noise in found.items():
        values, apply = descend(params, section), noise.get("apply", "never")
        if "augmentation" not in values:
            values.insert(list(values).index("salt_and_pepper"), "augmentation", CommentedMap())
            values["augmentation"].fa.set_flow_style()
        fraction = 0.0 if apply == "never" else noise.get("fraction", 0.0)
        values["augmentation"]["salt_and_pepper_fraction"] = fraction
        values["augmentation"]["salt_and_pepper_copies"] = apply == "copies"
        remove_key(values, "salt_and_pepper")
    return [f"'{name}.salt_and_pepper' is in '{name}.augmentation' now" for name in found]


def _replace(values: CommentedMap, key: str, settings: Mapping[str, Any]) -> None:
    """Puts several settings in the place of one."""
    section, _, last = key.rpartition(".")
    place = list(values).index(last)
    for number, (name, value) in enumerate(settings.items()):
        if name in values and values[name] != value:
            raise UserError(
                f"{PARAMS_FILE} has '{key}', which is '{section}.{name}: {value}' now, and that "
                "with another value: keep one of them"
            )
        if name in values:
            continue
        if isinstance(value, Mapping):
            value = CommentedMap(value)
            value.fa.set_flow_style()
        values.insert(place + number, name, value)
    remove_key(values, last)


def _share(params: CommentedMap) -> list[str]:
    """Moves what most models have in common to `training` and `fine_tuning`, unless that was done."""
    models = params.get("models")
    if "training" in params or not isinstance(models, Mapping):
        return []
    known = {name: values for name, values in models.items() if name in ZOO and values}
    tuned = [values for name, values in known.items() if ZOO[name].base]
    rest = [values for name, values in known.items() if not ZOO[name].base]
    rest += [params["ensemble"]] if isinstance(params.get("ensemble"), Mapping) else []
    place = list(params).index("models")
    fine_tuning, training = CommentedMap(), CommentedMap()
    if tuned:
        fields = next(row.settings_class for row in ZOO.values() if row.base).model_fields
        _factor(tuned, fine_tuning, list(fields))
    layers = [*rest, *([fine_tuning] if tuned else [])]
    _factor(layers, training, list(TrainingSettings.model_fields))
    for name, section in (("fine_tuning", fine_tuning), ("training", training)):
        params.insert(place, name, section)
        params.yaml_set_comment_before_after_key(
            "models" if name == "fine_tuning" else "fine_tuning", "\n"
        )
    return ["what models share moved to 'training' and 'fine_tuning'; each keeps what departs"]


def _list_items(params: CommentedMap) -> list[str]:
    """Adds the section `pipeline`, which `dvc.yaml` takes folds and models from, unless it is there."""
    if "pipeline" in params:
        return []
    known = [name for name in params.get("models") or {} if name in ZOO]
    num_folds = descend(params, "split.num_folds")
    if not known or not isinstance(num_folds, int):
        return []
    section = CommentedMap()
    section["folds"] = CommentedSeq(range(num_folds))
    section["models"] = CommentedMap()
    for name in known:
        defaults = "fine_tuning" if ZOO[name].base else "training"
        section["models"][name] = CommentedMap(
            module=ZOO[name].module.rpartition(".")[2], defaults=defaults
        )
    for flow in (section["folds"], *section["models"].values()):
        flow.fa.set_flow_style()
    params.insert(0, "pipeline", section)
    return [
        "the lists of folds and models, which stood in dvc.yaml, are the section 'pipeline' now"
    ]


def _factor(layers: Sequence[CommentedMap], shared: CommentedMap, keys: Sequence[str]) -> None:
    """Moves each key's most common value from the layers to what they share, key by key of sections.

    A layer whose value is another keeps it, so that each has the same settings as before.
    """
    for key in keys:
        values = [layer[key] for layer in layers if key in layer]
        if len(values) < len(layers):
            continue  # to share it would give it to a layer that had none
        holders = list(layers)
        if all(isinstance(value, Mapping) for value in values):
            shared[key] = CommentedMap()
            shared[key].fa.set_flow_style()
            _factor(values, shared[key], list(values[0]))
        else:
            common = Counter(map(repr, values)).most_common(1)[0][0]
            holders = [layer for layer in layers if repr(layer[key]) == common]
            shared[key] = holders[0][key]
        comment = next((found for one in holders if (found := comment_of(one, key))), None)
        if comment:
            shared.yaml_add_eol_comment(comment, key)
        for layer in holders:
            if layer[key] == shared[key] or layer[key] == {}:
                remove_key(layer, key)
