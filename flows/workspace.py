"""Makes a workspace for the stages: a copy of the tracked files, with a git and a DVC of its own."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fer_data.params import PARAMS_FILE, read_params
from fer_data.schema import RELABEL_COLUMNS
from fer_data.stage import UserError, written_beside
from flows.profiles import lay_over

ARCHIVE = Path("data/raw/archive.zip")
WEIGHTS = Path("data/weights")
_NOTHING_YET = {
    "data/relabels.csv": ",".join(RELABEL_COLUMNS),
    "data/accepted/relabels.csv": ",".join(RELABEL_COLUMNS),
    "data/accepted/profile.json": "null",
    "data/accepted/metrics.json": "null",
}
"""What people have not decided or accepted yet, file by file."""


def environment() -> dict[str, str]:
    """The environment that stages run in: this interpreter first, no telemetry."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return {
        **os.environ,
        "PATH": path,
        "DO_NOT_TRACK": "1",
        "DVC_NO_ANALYTICS": "1",
    }


def project_root() -> Path:
    """The checkout that this code belongs to.

    Raises:
        UserError: It is no git checkout.
    """
    root = Path(__file__).resolve().parent.parent
    if not (root / ".git").exists():
        raise UserError(
            f"{root} is not a git checkout: clone the project, and run this in the clone"
        )
    return root


def make_workspace(folder: Path, *, archive: Path, overlay: Mapping[str, Any]) -> None:
    """Copies the project's tracked files, without its data, and puts an archive and settings in.

    Args:
        folder: A folder that is empty, or does not exist yet.
        archive: The archive, which is moved to its place.
        overlay: Settings that replace those of `params.yaml`, section by section.

    Raises:
        UserError: The folder is not empty, or there is no git checkout to copy from.
    """
    if folder.exists() and any(folder.iterdir()):
        raise UserError(f"{folder} is not empty: name a folder that does not exist yet")
    root = project_root()
    for name in git("ls-files", "-z", cwd=root).split("\0"):
        # The user's own data stays out: what DVC tracks and recorded, what people decided and accepted.
        if not name or name == "dvc.lock" or name.endswith(".dvc") or not (root / name).is_file():
            continue
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / name, folder / name)
    for path, nothing in _NOTHING_YET.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(f"{nothing}\n", encoding="utf-8")
    lay_over(overlay, folder=folder)
    (folder / ARCHIVE).parent.mkdir(parents=True, exist_ok=True)
    shutil.move(archive, folder / ARCHIVE)
    git("init", "--quiet", "--initial-branch=main", cwd=folder)
    commit(folder, "Start")


def commit(folder: Path, message: str) -> None:
    """Commits all that git does not ignore, in the name of a made-up person."""
    git("add", "--all", cwd=folder)
    identity = ("-c", "user.name=Ferflow", "-c", "user.email=ferflow@localhost")
    git(*identity, "commit", "--quiet", "--allow-empty", "--message", message, cwd=folder)


def git(*arguments: str, cwd: Path) -> str:
    """What a git command prints.

    Raises:
        UserError: It failed; the message says in what words, on one line.
    """
    command = ["git", *arguments]
    finished = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if finished.returncode:
        words = " ".join(finished.stderr.split())
        raise UserError(f"git {arguments[0]} failed in {cwd}: {words}")
    return finished.stdout


def revision(folder: Path) -> str | None:
    """The commit that a folder is at, or None outside of git and before the first commit."""
    try:
        return git("rev-parse", "HEAD", cwd=folder).strip()
    except UserError:
        return None


def dvc(*arguments: str, cwd: Path) -> str:
    """What a DVC command prints.

    Raises:
        UserError: It failed; the message says in what words, on one line.
    """
    finished = subprocess.run(
        ["dvc", *arguments],
        cwd=cwd,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if finished.returncode:
        words = " ".join(finished.stderr.split())
        raise UserError(f"`dvc {arguments[0]}` failed in {cwd}: {words}")
    return finished.stdout


def add_archive(archive: Path, *, folder: Path = Path()) -> str:
    """Copies an archive into a workspace and versions it with `dvc add`.

    Args:
        archive: The archive to copy; left as it is.
        folder: The workspace.

    Returns:
        What was done, in words.

    Raises:
        UserError: There is no such file or workspace, or DVC failed.
    """
    read_params(folder / PARAMS_FILE)
    if not archive.is_file():
        raise UserError(f"no archive at {archive}: expected the path of an archive.zip")
    return _add(archive, ARCHIVE, folder=folder)


def add_weights(model: str, weights: Path, *, folder: Path = Path()) -> str:
    """Copies a file of weights into a workspace, versions it, and lets a model start from it.

    Args:
        model: The model, whose section of `params.yaml` has the setting `weights`.
        weights: The file to copy; left as it is.
        folder: The workspace.

    Returns:
        What was done, in words.

    Raises:
        UserError: There is no such file, workspace or model, or DVC failed.
    """
    models = read_params(folder / PARAMS_FILE).get("models", {})
    able = [name for name, settings in models.items() if "weights" in settings]
    if model not in able:
        raise UserError(f"no model '{model}' that takes weights: expected one of {', '.join(able)}")
    if not weights.is_file():
        raise UserError(f"no weights at {weights}: expected the path of a .weights.h5")
    target = WEIGHTS / model / weights.name
    words = _add(weights, target, folder=folder)
    lay_over({"models": {model: {"weights": target.as_posix()}}}, folder=folder)
    return f"{words}; models.{model}.weights: {target}"


def _add(source: Path, target: Path, *, folder: Path) -> str:
    copy = folder / target
    if not (copy.exists() and copy.samefile(source)):
        with written_beside(copy) as beside:
            shutil.copyfile(source, beside)
    dvc("add", "--quiet", str(target), cwd=folder)
    return f"{source} -> {copy}, versioned in {copy}.dvc: `dvc repro` rebuilds what it changes"
