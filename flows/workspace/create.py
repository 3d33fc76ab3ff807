"""Makes a workspace for the stages: a copy of the tracked files, with a git and a DVC of its own."""

import filecmp
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fer_data.core.errors import UserError
from fer_data.core.files import atomic_write, refuse_folder
from fer_data.core.git_environment import without_repository
from fer_data.core.schema import RELABEL_COLUMNS
from fer_data.ingestion.zip_archive import check_archive
from fer_data.stages.settings import PARAMS_FILE, read_params
from flows.workspace.overrides import lay_over
from flows.workspace.redaction import without_passwords
from flows.workspace.subprocesses import captured

ARCHIVE = Path("data/raw/archive.zip")
WEIGHTS = Path("data/weights")
PATIENCE_SECONDS = 6 * 3600.0
PAUSE_SECONDS = 5.0
_BUSY = re.compile(r"unable to acquire lock|is being blocked by|rwlock-file", re.IGNORECASE)
_KEYS = ("PREFECT_API_AUTH_STRING", "PREFECT_SERVER_API_AUTH_STRING", "PREFECT_API_KEY")
"""What no stage needs, and what is not to reach another machine."""
_NOTHING_YET = {
    "data/relabels.csv": ",".join(RELABEL_COLUMNS),
    "data/accepted/relabels.csv": ",".join(RELABEL_COLUMNS),
    "data/accepted/profile.json": "null",
    "data/accepted/metrics.json": "null",
}
"""What people have not decided or accepted yet, file by file."""
_OWN_SETTINGS = (
    *("-c", "user.name=Ferflow", "-c", "user.email=ferflow@localhost"),
    *("-c", "commit.gpgSign=false", "-c", "core.hooksPath=/dev/null"),
    *("-c", "core.excludesFile=/dev/null", "-c", "init.defaultRefFormat=files"),
)
"""Of git in a workspace that Ferflow makes: a person's own neither sign, check nor hide its commit."""


def environment() -> dict[str, str]:
    """The environment that stages, git and DVC run in.

    This interpreter comes first, there is no telemetry and no key to Prefect's API, and the folder alone
    says which repository is meant.
    """
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return {
        **{name: value for name, value in without_repository().items() if name not in _KEYS},
        "PATH": path,
        "DO_NOT_TRACK": "1",
        "DVC_NO_ANALYTICS": "1",
    }


def project_root() -> Path:
    """The checkout that this code belongs to.

    Raises:
        UserError: It is no git checkout.
    """
    root = Path(__file__).resolve().parent.parent.parent
    if not (root / ".git").exists():
        raise UserError(
            f"{root} is not a git checkout: clone the project, and run this in the clone"
        )
    return root


def check_new(folder: Path) -> None:
    """Refuses a folder that holds something, before any work for it.

    Raises:
        UserError: The folder is not empty, or is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file: name a folder that does not exist yet")
    if folder.exists() and any(folder.iterdir()):
        raise UserError(f"{folder} is not empty: name a folder that does not exist yet")


def make_workspace(folder: Path, *, archive: Path, overlay: Mapping[str, Any]) -> None:
    """Copies the project's tracked files, without its data, and puts an archive and settings in.

    Args:
        folder: A folder that is empty, or does not exist yet.
        archive: The archive, which is moved to its place.
        overlay: Settings that replace those of `params.yaml`, section by section.

    Raises:
        UserError: As `check_new`; or there is no git checkout to copy from.
    """
    check_new(folder)
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
    options = ("--initial-branch=main", "--template=", "--object-format=sha1")  # as DVC reads
    git(*_OWN_SETTINGS, "init", "--quiet", *options, cwd=folder)
    commit(folder, "Start")


def commit(folder: Path, message: str) -> None:
    """Commits all that git does not ignore, in the name of a made-up person."""
    git(*_OWN_SETTINGS, "add", "--all", cwd=folder)
    words = ("--quiet", "--allow-empty", "--message", message)
    git(*_OWN_SETTINGS, "commit", *words, cwd=folder)


def git(*arguments: str, cwd: Path) -> str:
    """What a git command prints.

    Raises:
        UserError: It failed; the message says in what words, on one line.
    """
    command = ["git", *arguments]
    finished = subprocess.run(
        command, cwd=cwd, env=environment(), capture_output=True, text=True, check=False
    )
    if finished.returncode:
        words = without_passwords(" ".join(finished.stderr.split()))
        verb = arguments[len(_OWN_SETTINGS) if arguments[0] == "-c" else 0]
        raise UserError(f"git {verb} failed in {cwd}: {words}")
    return finished.stdout


def revision(folder: Path) -> str | None:
    """The commit that a folder is at, or None outside of git and before the first commit."""
    try:
        return git("rev-parse", "HEAD", cwd=folder).strip()
    except UserError:
        return None


def dvc(
    *arguments: str,
    cwd: Path,
    timeout_seconds: float = PATIENCE_SECONDS,
    pause_seconds: float = PAUSE_SECONDS,
) -> str:
    """What a DVC command prints; it waits for whatever else DVC does in the folder, such as a push.

    Args:
        *arguments: The verb and what it takes.
        cwd: The folder.
        timeout_seconds: After which it is ended, with its children.
        pause_seconds: Between tries, where another process has one of the files.

    Raises:
        UserError: It failed, or took too long; the message says in what words, on one line.
    """
    deadline = time.monotonic() + timeout_seconds
    # By the flag, which goes before the verb, DVC waits for its lock of the folder, but not of files.
    command = ["dvc", "--wait-for-lock", *arguments]
    while True:
        left = deadline - time.monotonic()
        try:
            finished = captured(command, cwd=cwd, environment=environment(), timeout_seconds=left)
        except subprocess.TimeoutExpired:
            raise UserError(
                f"`dvc {arguments[0]}` did not end in {cwd} within {timeout_seconds:.0f} seconds: "
                "does another DVC command run there?"
            ) from None
        if not finished.returncode:
            return finished.stdout
        if not (_BUSY.search(finished.stderr) and time.monotonic() + pause_seconds < deadline):
            lines = finished.stderr.splitlines()
            errors = [line for line in lines if line.startswith("ERROR: ")]
            words = without_passwords(" ".join(" ".join(errors or lines).split()))
            raise UserError(f"`dvc {arguments[0]}` failed in {cwd}: {words}")
        time.sleep(pause_seconds)


def add_archive(archive: Path, *, folder: Path = Path()) -> str:
    """Copies an archive into a workspace and versions it with `dvc add`.

    Args:
        archive: The archive to copy; left as it is.
        folder: The workspace.

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
    if not (copy.is_file() and filecmp.cmp(source, copy, shallow=False)):
        _check_held(target, folder=folder)
        with atomic_write(copy) as beside:
            shutil.copyfile(source, beside)
    dvc("add", str(target), cwd=folder)
    return f"{source} -> {copy}, versioned in {copy}.dvc: `dvc repro` rebuilds what it changes"


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
