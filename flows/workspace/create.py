"""Makes a workspace for the stages: a copy of the tracked files, with a git and a DVC of its own."""

import filecmp
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fer_data.core.errors import UserError
from fer_data.core.files import atomic_write, refuse_folder
from fer_data.core.schema import DECISION_COLUMNS, PIXEL_HASH
from fer_data.core.yaml_files import read_yaml
from fer_data.ingestion.zip_archive import check_archive
from fer_data.stages.settings import PARAMS_FILE, read_params
from fer_models.networks.registry import ZOO
from flows.workspace.client import OWN_SETTINGS, commit, dvc, git, require_git
from flows.workspace.overrides import apply_overrides
from flows.workspace.template import workspace_files

ARCHIVE = Path("data/raw/archive.zip")
MAPPING = Path("data/raw/mapping.csv")
"""Beside an archive that was written from another layout: what became of its names."""
WEIGHTS = Path("data/weights")
_NOTHING_YET = {
    "data/relabels.csv": ",".join(DECISION_COLUMNS),
    "data/votes.csv": PIXEL_HASH,
    "data/accepted/relabels.csv": ",".join(DECISION_COLUMNS),
    "data/accepted/profile.json": "null",
    "data/accepted/metrics.json": "null",
}
"""What people have not decided or accepted yet, file by file."""


def check_new(folder: Path) -> None:
    """Refuses a folder that holds something, before any work for it.

    Raises:
        UserError: The folder is not empty, or is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file: name a folder that does not exist yet")
    if folder.exists() and any(folder.iterdir()):
        raise UserError(f"{folder} is not empty: name a folder that does not exist yet")


def make_workspace(
    folder: Path, *, archive: Path | None = None, overrides: Mapping[str, Any]
) -> None:
    """Copies the project's files, without its data, and puts an archive and settings in.

    Args:
        folder: A folder that is empty, or does not exist yet.
        archive: The archive, which is moved to its place; None leaves the place empty.
        overrides: Settings that replace those of `params.yaml`, section by section.

    Raises:
        UserError: As `check_new`; or there is nothing to copy from.
    """
    check_new(folder)
    for name, source in workspace_files().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, folder / name)
    # On the folders of weights the stages `train` depend, whether or not there are any.
    for entry in read_params(folder / PARAMS_FILE)["pipeline"]["models"].values():
        kept = folder / entry["starts_from"] / ".gitkeep"
        if kept.is_relative_to(folder / WEIGHTS):
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.touch()
    # What people decided and accepted elsewhere stays there.
    for path, nothing in _NOTHING_YET.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(f"{nothing}\n", encoding="utf-8")
    apply_overrides(overrides, folder=folder)
    if archive is not None:
        (folder / ARCHIVE).parent.mkdir(parents=True, exist_ok=True)
        shutil.move(archive, folder / ARCHIVE)
    options = ("--initial-branch=main", "--template=", "--object-format=sha1")  # as DVC reads
    git(*OWN_SETTINGS, "init", "--quiet", *options, cwd=folder)
    commit(folder, "Start")


def add_archive(archive: Path, *, folder: Path = Path(), called: Path | None = None) -> str:
    """Copies an archive into a workspace and versions it with `dvc add`.

    Args:
        archive: The archive to copy; left as it is.
        folder: The workspace.
        called: What it was made of, for the words.

    Returns:
        What was done, in words.

    Raises:
        UserError: There is no such file or workspace, the file is no archive, there is another one
            that DVC does not hold, or DVC failed.
    """
    read_params(folder / PARAMS_FILE)
    if not archive.is_file():
        raise UserError(f"no archive at {archive}: expected the path of an archive.zip")
    check_archive(archive)
    return _add(archive, ARCHIVE, folder=folder, called=called)


def add_weights(model: str, weights: Path, *, folder: Path = Path()) -> str:
    """Copies a file of weights into a workspace, versions it, and lets a model start from it.

    Args:
        model: A model of the zoo that starts from weights.
        weights: The file to copy; left as it is.
        folder: The workspace.

    Returns:
        What was done, in words.

    Raises:
        UserError: There is no such file, workspace or model, or DVC failed.
    """
    read_params(folder / PARAMS_FILE)
    able = [name for name, row in ZOO.items() if row.base]
    if model not in able:
        raise UserError(f"no model '{model}' that takes weights: expected one of {', '.join(able)}")
    if not weights.is_file():
        raise UserError(f"no weights at {weights}: expected the path of a .weights.h5")
    target = WEIGHTS / model / weights.name
    words = _add(weights, target, folder=folder)
    apply_overrides({"models": {model: {"weights": target.as_posix()}}}, folder=folder)
    return f"{words}; models.{model}.weights: {target}"


def _add(source: Path, target: Path, *, folder: Path, called: Path | None = None) -> str:
    copy = folder / target
    require_git(folder, needs="DVC needs to version data")
    replaced = ""
    if not (copy.is_file() and filecmp.cmp(source, copy, shallow=False)):
        _check_held(target, folder=folder)
        replaced = _replaced(target, folder=folder)
        with atomic_write(copy) as beside:
            shutil.copyfile(source, beside)
    dvc("add", str(target), cwd=folder)
    return (
        f"{called or source} -> {copy}, versioned in {copy}.dvc{replaced}: `dvc repro` rebuilds what it "
        "changes"
    )


def _replaced(target: Path, *, folder: Path) -> str:
    """Says which file that DVC holds is replaced, and how it comes back; nothing where there is none."""
    pointer = Path(f"{target}.dvc")
    if not (folder / pointer).exists():
        return ""
    (out,) = read_yaml(folder / pointer)["outs"]
    what = f", in place of {out['size']:,} bytes of MD5 {out['md5']}"
    commit_of_pointer = git("log", "-1", "--format=%h", "--", str(pointer), cwd=folder).strip()
    if commit_of_pointer and not git("status", "--porcelain", "--", str(pointer), cwd=folder):
        return (
            f"{what}, which `git checkout {commit_of_pointer} -- {target.parent} && dvc checkout "
            f"{target}` brings back"
        )
    place = Path(
        dvc("cache", "dir", cwd=folder).strip(), "files/md5", out["md5"][:2], out["md5"][2:]
    )
    return f"{what}, which no commit names: DVC holds it as {place}"


def _check_held(target: Path, *, folder: Path) -> None:
    """Refuses to replace a file that DVC could not bring back."""
    refuse_folder(folder / target)
    if not (folder / target).exists():
        return
    pointer = f"{target}.dvc"
    held = (folder / pointer).exists() and json.loads(dvc("status", "--json", pointer, cwd=folder))
    if held != {}:
        raise UserError(
            f"{folder / target} is another file, which DVC does not hold and which would be lost: "
            f"`dvc add {target}` versions it, or move it away"
        )
