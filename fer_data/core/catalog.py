"""The catalog of artifact paths, read from `dvc.yaml`."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fer_data.core.errors import UserError
from fer_data.core.yaml_files import read_yaml

GRAPH_FILE = "dvc.yaml"
PARAMS_FILE = "params.yaml"
_NAMED = re.compile(r"\$\{([\w.]+)\}")


def output(stage_name: str, file_name: str, *, workspace: Path = Path()) -> Path:
    """The path of a stage's output.

    Args:
        stage_name: The stage, for one of several with its item: `review_queue`, `train@scratch`.
        file_name: The last part of the output's path: `suspects.csv`.
        workspace: The folder of `dvc.yaml`.

    Returns:
        The path, below `workspace`.

    Raises:
        UserError: There is no `dvc.yaml`, or it has no such stage or output.
    """
    return _path(stage_name, file_name, "outs", "an output", workspace=workspace)


def dependency(stage_name: str, file_name: str, *, workspace: Path = Path()) -> Path:
    """The path of a file that a stage reads and no stage makes, such as what people decided.

    Takes, returns and raises what `output` does, for `deps` in place of `outs`.
    """
    return _path(stage_name, file_name, "deps", "a dependency", workspace=workspace)


def items(stage_name: str, *, workspace: Path = Path()) -> tuple[str, ...]:
    """The items of a stage that runs once for each: `evaluate` has the names of the models.

    Args:
        stage_name: A stage with a `matrix` of one axis.
        workspace: The folder of `dvc.yaml`.

    Raises:
        UserError: There is no `dvc.yaml`, it has no such stage, or `params.yaml` lists no items for it.
    """
    for axis in stages_in(workspace).get(stage_name, {}).get("matrix", {}).values():
        if not axis:
            raise UserError(
                f"{workspace / PARAMS_FILE} lists nothing that {GRAPH_FILE} has a stage "
                f"'{stage_name}' for: `ferflow upgrade` rewrites the settings of an earlier version"
            )
        return tuple(map(str, axis))
    raise UserError(f"{GRAPH_FILE} has no stage '{stage_name}' with a matrix")


def stages_in(workspace: Path) -> dict[str, Any]:
    """The stages as `dvc.yaml` has them, those that run once for each item as one.

    Raises:
        UserError: There is no `dvc.yaml`, or it is not YAML, or has no stages.
    """
    try:
        graph = read_yaml(workspace / GRAPH_FILE)
    except FileNotFoundError:
        raise UserError(no_workspace(workspace / GRAPH_FILE)) from None
    stages = graph.get("stages") if isinstance(graph, dict) else None
    if not isinstance(stages, dict) or not all(isinstance(one, dict) for one in stages.values()):
        raise UserError(f"{workspace / GRAPH_FILE} has no stages: `git checkout {GRAPH_FILE}`")
    try:
        params = read_yaml(workspace / PARAMS_FILE)
    except FileNotFoundError:
        params = {}
    return with_items(stages, params)


def no_workspace(missing: Path) -> str:
    """Says of a folder that it is no workspace, since it lacks a file that every workspace has."""
    return (
        f"no {missing.name} in {missing.parent.absolute()}: not a Ferflow workspace; "
        "`ferflow init FOLDER` makes one"
    )


def with_items(stages: Mapping[str, Any], params: Any) -> dict[str, Any]:
    """Puts into `foreach` and `matrix` what they name in the settings: `${report.models}`.

    Args:
        stages: The stages of `dvc.yaml`.
        params: What `params.yaml` holds. A name that it does not have stands for no items.
    """
    filled = {name: dict(stage) for name, stage in stages.items()}
    for stage in filled.values():
        if "foreach" in stage:
            stage["foreach"] = _items(stage["foreach"], params)
        if "matrix" in stage:
            stage["matrix"] = {
                axis: _items(values, params) for axis, values in stage["matrix"].items()
            }
    return filled


def _items(items: Any, params: Any) -> Any:
    """Items as they are, or those that `${...}` names."""
    match = _NAMED.fullmatch(items) if isinstance(items, str) else None
    if not match:
        return items
    for part in match[1].split("."):
        params = params.get(part) if isinstance(params, Mapping) else None
    return params if isinstance(params, list | dict) else []


def _path(stage_name: str, file_name: str, key: str, what: str, *, workspace: Path) -> Path:
    name, _, item = stage_name.partition("@")
    stage = stages_in(workspace).get(name, {})
    places = ["key", "item", *(f"item.{axis}" for axis in stage.get("matrix", {}))]
    for path in stage.get("do", stage).get(key, []):
        for place in places:
            path = path.replace(f"${{{place}}}", item)
        if Path(path).name == file_name:
            return workspace / path
    raise UserError(f"{GRAPH_FILE} has no stage '{stage_name}' with {what} '{file_name}'")
