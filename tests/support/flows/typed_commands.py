"""Runs git, DVC and stages in a workspace, as a person would type them."""

import hashlib
import os
import re
import subprocess
from pathlib import Path

import yaml

from flows.workspace.client import environment
from tests.support.warm.programs import warm_programs

MODELS = ("scratch", "compact")
"""Those of the tests' workspace, and the members of its ensemble; `ferflow demo` runs them all."""
NUM_FOLDS = 2
"""Its folds."""
BELOW_MEMBERS = ["ensemble", "evaluate@ensemble", "report"]
"""What a change of a member's answers reruns, in order."""


def call(
    workspace: Path, *words: str, in_new_processes: bool = False
) -> subprocess.CompletedProcess[str]:
    """Runs a command in the workspace, whatever its exit code."""
    variables = environment()
    if not in_new_processes:
        variables["PATH"] = os.pathsep.join([str(warm_programs()), variables["PATH"]])
    return subprocess.run(
        words, cwd=workspace, env=variables, capture_output=True, text=True, check=False
    )


def ok(workspace: Path, *words: str, in_new_processes: bool = False) -> str:
    """Runs a command that must succeed; gives what it printed."""
    finished = call(workspace, *words, in_new_processes=in_new_processes)
    assert finished.returncode == 0, f"{words}: {finished.stdout}\n{finished.stderr}"
    return finished.stdout


def repro(workspace: Path, *words: str, in_new_processes: bool = False) -> list[str]:
    """Runs `dvc repro`, which must succeed; gives the stages that it really ran, in order."""
    return stages_run(ok(workspace, "dvc", "repro", *words, in_new_processes=in_new_processes))


def stages_run(printed: str) -> list[str]:
    """The stages that DVC says it really ran, in order."""
    return re.findall(r"^Running stage '(.+)':", printed, re.MULTILINE)


def keep_few_plots(workspace: Path) -> None:
    """Takes out of the plots the models that the tests' workspace does without."""
    file = workspace / "dvc.yaml"
    graph = yaml.safe_load(file.read_text())
    for plot in graph["plots"]:
        for description in plot.values():
            description["y"] = {
                path: columns
                for path, columns in description["y"].items()
                if path.split("/")[2] in (*MODELS, "ensemble")
            }
    file.write_text(yaml.safe_dump(graph, sort_keys=False))


def set_param(workspace: Path, section: str, key: str, value: object) -> None:
    """Changes one setting of `params.yaml`."""
    file = workspace / "params.yaml"
    params = yaml.safe_load(file.read_text())
    target = params
    for name in section.split("."):
        target = target[name]
    assert target[key] != value
    target[key] = value
    file.write_text(yaml.safe_dump(params, sort_keys=False))


def fingerprints(*folders: Path) -> dict[str, str]:
    """The SHA-256 of each file below the folders, by its path."""
    files = [file for folder in folders for file in sorted(folder.rglob("*")) if file.is_file()]
    return {
        str(Path(*file.parts[-3:])): hashlib.sha256(file.read_bytes()).hexdigest() for file in files
    }
