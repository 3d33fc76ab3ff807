"""Compares the free space of the disks with what the stages to be rerun made the last time."""

import shutil
from collections.abc import Iterable
from pathlib import Path

from fer_data.core.errors import UserError
from fer_data.core.yaml_files import read_yaml
from flows.execution.snapshot import LOCK_FILE
from flows.housekeeping.leftovers import space_in_words
from flows.housekeeping.retention_settings import retention_of
from flows.workspace.client import dvc

MIN_BYTES = 100_000_000
"""A run that is to make more than is free does not start with less."""
_ADVICE = "`ferflow clean --dry-run` shows what can go"


def space_warning(workspace: Path, *, needed: Iterable[str]) -> str | None:
    """Says whether the disks may be too full for a run.

    Args:
        workspace: The workspace; its cache may lie on another disk.
        needed: The stages that may rerun. What they made the last time stays in the cache, so that their
            outputs need as much again; those of a stage that never ran are not counted.

    Returns:
        One line where less is free than that, or than `retention.min_free_gb`; None: there is room.

    Raises:
        UserError: Less is free than that, and than `MIN_BYTES`: the run cannot end well.
    """
    sizes = output_sizes(workspace)
    need = sum(sizes.get(stage, 0) for stage in needed)
    retention = retention_of(workspace)
    least = retention.min_free_gb * 1e9 if retention else 0
    for place in _places(workspace) if need else [workspace]:
        free = shutil.disk_usage(place).free
        words = f"{space_in_words(free)} are free on the disk of {place.absolute()}"
        made = f"the stages to rerun made {space_in_words(need)} the last time"
        if free < need and free < MIN_BYTES:
            raise UserError(f"{words}, too few for a run: {made}; {_ADVICE}")
        if free < need:
            return f"{words}, and {made}; {_ADVICE}"
        if free < least:
            return f"{words}, less than {space_in_words(least)} (retention.min_free_gb); {_ADVICE}"
    return None


def output_sizes(workspace: Path) -> dict[str, int]:
    """The bytes of each stage's outputs, as `dvc.lock` has them from its last run.

    Raises:
        UserError: The file is broken.
    """
    try:
        lock = read_yaml(workspace / LOCK_FILE)
    except FileNotFoundError:
        return {}
    stages = lock.get("stages", {}) if isinstance(lock, dict) else {}
    return {
        name: sum(out.get("size", 0) for out in stage.get("outs", []))
        for name, stage in stages.items()
    }


def _places(workspace: Path) -> list[Path]:
    """The workspace and its cache, or the workspace alone where both lie on one disk."""
    cache = (workspace / dvc("cache", "dir", cwd=workspace).strip()).resolve()
    while not cache.exists():
        cache = cache.parent
    same = cache.stat().st_dev == workspace.stat().st_dev
    return [workspace] if same else [workspace, cache]
