"""Runs git, DVC and stages in a workspace, as a person would type them."""

import hashlib
import re
import subprocess
from pathlib import Path

import yaml

from flows.workspace import environment

MEMBERS = ("resnet50", "mobilenetv2")
"""Of the ensemble in the tests' workspace: not the slowest of the three fine-tunes."""


def call(workspace: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Runs a command in the workspace, whatever its exit code."""
    return subprocess.run(
        words, cwd=workspace, env=environment(), capture_output=True, text=True, check=False
    )


def ok(workspace: Path, *words: str) -> str:
    """Runs a command that must succeed; gives what it printed."""
    finished = call(workspace, *words)
    assert finished.returncode == 0, f"{words}: {finished.stdout}\n{finished.stderr}"
    return finished.stdout


def repro(workspace: Path, *words: str) -> list[str]:
    """Runs `dvc repro`, which must succeed; gives the stages that it really ran, in order."""
    return re.findall(
        r"^Running stage '(.+)':", ok(workspace, "dvc", "repro", *words), re.MULTILINE
    )


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
