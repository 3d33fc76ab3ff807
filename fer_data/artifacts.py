"""Where the artifacts lie: read from `dvc.yaml`, the only place that says so."""

from pathlib import Path

import yaml

from fer_data.stage import UserError

GRAPH_FILE = "dvc.yaml"


def output(stage_name: str, file_name: str, *, workspace: Path = Path()) -> Path:
    """The path of a stage's output.

    Args:
        stage_name: The stage, for one of a matrix with its item: `mislabels`, `train@scratch`.
        file_name: The last part of the output's path: `suspects.csv`.
        workspace: The folder of `dvc.yaml`.

    Returns:
        The path, below `workspace`.

    Raises:
        UserError: There is no `dvc.yaml`, or it has no such stage or output.
    """
    return _path("outs", stage_name, file_name, workspace)


def dependency(stage_name: str, file_name: str, *, workspace: Path = Path()) -> Path:
    """The path of what a stage reads and no stage writes, such as `relabels.csv`; as `output`."""
    return _path("deps", stage_name, file_name, workspace)


def _path(section: str, stage_name: str, file_name: str, workspace: Path) -> Path:
    name, _, item = stage_name.partition("@")
    try:
        stages = yaml.safe_load((workspace / GRAPH_FILE).read_text(encoding="utf-8"))["stages"]
    except FileNotFoundError:
        raise UserError(
            f"no {GRAPH_FILE} in {workspace.absolute()}: not a Ferflow workspace"
        ) from None
    stage = stages.get(name, {})
    for path in map(Path, stage.get(section, [])):
        filled = path
        for key in stage.get("matrix", {}):
            filled = Path(str(filled).replace(f"${{item.{key}}}", item))
        if filled.name == file_name:
            return workspace / filled
    noun = {"outs": "an output", "deps": "a dependency"}[section]
    raise UserError(f"{GRAPH_FILE} has no stage '{stage_name}' with {noun} '{file_name}'")
