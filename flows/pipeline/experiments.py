"""Runs with other settings in a clone of the workspace, recorded there as a DVC experiment."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fer_data.core.errors import UserError
from fer_data.stages.settings import PARAMS_FILE
from flows.execution.snapshot import LOCK_FILE, is_clone_of, pack, unpack
from flows.housekeeping.work_folders import CHECKPOINTS
from flows.workspace.client import dvc, git
from flows.workspace.overrides import apply_overrides, check_overrides


def clone_with(overrides: Mapping[str, Any], *, workspace: Path, folder: Path) -> list[str]:
    """Makes a clone whose settings are the workspace's with a few others laid over them.

    Args:
        overrides: Sections with keys, as in a preset.
        workspace: Stays as it is; its DVC cache is shared.
        folder: The clone. One that an interrupted run of the same overrides left is used again, so that
            what it finished is kept; of one of another commit, or with other edits or removals, the
            checkpoints alone.

    Returns:
        The overrides in words: `models.scratch.epochs: 30 -> 12`.

    Raises:
        UserError: The overrides name a setting that there is not, or a whole section.
    """
    check_overrides(overrides, folder=workspace)
    packed = pack(workspace)
    if not is_clone_of(packed, folder):
        cache = Path(dvc("cache", "dir", cwd=workspace).strip())
        fresh = folder.with_name(f"{folder.name}.fresh")
        shutil.rmtree(fresh, ignore_errors=True)
        unpack(packed, fresh, cache=cache, place=folder)
        if (folder / CHECKPOINTS).is_dir():  # which tell themselves what they are of
            shutil.move(folder / CHECKPOINTS, fresh / CHECKPOINTS)
        shutil.rmtree(folder, ignore_errors=True)
        fresh.rename(folder)
        dvc("checkout", "--allow-missing", cwd=folder)
    shutil.copyfile(workspace / PARAMS_FILE, folder / PARAMS_FILE)
    return apply_overrides(overrides, folder=folder)


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
    dvc("exp", "save", "--force", "--include-untracked", LOCK_FILE, cwd=folder)
    refs = git("for-each-ref", "--format=%(refname)", "refs/exps", cwd=folder).split()
    saved = [ref for ref in refs if len(ref.split("/")) == 5]  # refs/exps/ab/cd.../NAME
    if not saved:
        raise UserError(f"`dvc exp save` left no experiment in {folder}")
    git("fetch", "--quiet", str(folder), *(f"+{ref}:{ref}" for ref in saved), cwd=workspace)
    return saved[-1].rpartition("/")[2]
