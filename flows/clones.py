"""Clones a workspace as it stands, so that a run elsewhere starts from the same state."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fer_data.params import PARAMS_FILE
from fer_data.stage import UserError
from flows.profiles import lay_over
from flows.workspace import dvc, git

LOCAL_CONFIG = Path(".dvc/config.local")
LOCK_FILE = "dvc.lock"


def clone(workspace: Path, folder: Path) -> None:
    """Clones the commit of a workspace, and lays what differs from it over the clone.

    Args:
        workspace: A git checkout. Edited and new files that git does not ignore count as part of it.
        folder: The clone, which shares the workspace's DVC cache; it must not exist yet.

    Raises:
        UserError: The workspace is no git checkout, or has no commit yet.
    """
    root = workspace.absolute()
    git("clone", "--quiet", str(root), str(folder), cwd=root)
    for name in _listed(root, "--modified", "--others", "--exclude-standard"):
        if (root / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, folder / name)
    for name in _listed(root, "--deleted"):
        (folder / name).unlink(missing_ok=True)
    if (root / LOCAL_CONFIG).is_file():
        shutil.copyfile(root / LOCAL_CONFIG, folder / LOCAL_CONFIG)
    cache = dvc("cache", "dir", cwd=root).strip()
    dvc("config", "--local", "cache.dir", cache, cwd=folder)


def _listed(workspace: Path, *which: str) -> list[str]:
    return [name for name in git("ls-files", "-z", *which, cwd=workspace).split("\0") if name]


def clone_with(overrides: Mapping[str, Any], *, workspace: Path, folder: Path) -> list[str]:
    """Makes a clone whose settings are the workspace's with a few others laid over them.

    Args:
        overrides: Sections with keys, as in a profile.
        workspace: Stays as it is.
        folder: The clone. One that an interrupted run of the same overrides left is used again: what it
            finished, checkpoints included, is kept.

    Returns:
        The overrides in words: `models.scratch.epochs: 30 -> 12`.

    Raises:
        UserError: The overrides name a setting that there is not.
    """
    if not folder.is_dir():
        beside = folder.with_name(f"{folder.name}.unfinished")
        shutil.rmtree(beside, ignore_errors=True)
        beside.parent.mkdir(parents=True, exist_ok=True)
        clone(workspace, beside)
        dvc("checkout", "--quiet", "--allow-missing", cwd=beside)
        beside.rename(folder)
    shutil.copyfile(workspace / PARAMS_FILE, folder / PARAMS_FILE)
    return lay_over(overrides, folder=folder)


def record(folder: Path, *, workspace: Path) -> str:
    """Records a finished clone as a DVC experiment of the workspace.

    Args:
        folder: The clone.
        workspace: Gets the experiment (`dvc exp show`, `dvc exp apply`), and no other change.

    Returns:
        The experiment's name.

    Raises:
        UserError: DVC or git refused.
    """
    dvc("exp", "save", "--quiet", "--force", "--include-untracked", LOCK_FILE, cwd=folder)
    refs = git("for-each-ref", "--format=%(refname)", "refs/exps", cwd=folder).split()
    saved = [ref for ref in refs if len(ref.split("/")) == 5]  # refs/exps/ab/cd.../NAME
    if not saved:
        raise UserError(f"`dvc exp save` left no experiment in {folder}")
    git("fetch", "--quiet", str(folder), *(f"+{ref}:{ref}" for ref in saved), cwd=workspace)
    return saved[-1].rpartition("/")[2]
