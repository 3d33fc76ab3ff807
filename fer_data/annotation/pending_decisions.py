"""Lists the pending decisions of a workspace: made, but not applied yet."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fer_data.annotation.decision_marks import MARK, in_words
from fer_data.core.catalog import dependency, items, output, stages_in
from fer_data.core.errors import UserError
from fer_data.core.tables import read_json, read_metadata
from fer_data.core.yaml_files import read_yaml

LOCK_FILE = "dvc.lock"


def waiting(workspace: Path = Path()) -> list[str]:
    """Lists decisions that are not applied yet, each with its remedy.

    Outputs that are missing, or of a version that kept no marks, are passed over.

    Raises:
        UserError: There is no `dvc.yaml`, or an output is damaged.
    """
    waits: dict[tuple[str, bool], list[str]] = {}
    for stage, name in _applying(workspace):
        made = output(stage, name, workspace=workspace)
        file = dependency(stage, "relabels.csv", workspace=workspace)
        found = in_words(_mark_in(made), file)
        if found:
            is_recorded = _taken_for_read(stage, file, workspace=workspace)
            waits.setdefault((found, is_recorded), []).append(stage)
    return [
        f"{found}, though DVC holds that it is: `dvc repro --force --single-item {' '.join(stages)}`, "
        "then `dvc repro`"
        if is_recorded
        else f"{found}: `dvc repro`"
        for (found, is_recorded), stages in waits.items()
    ]


def _applying(workspace: Path) -> list[tuple[str, str]]:
    """The stages that apply decisions, each with the output that says which."""
    stages = stages_in(workspace)
    single = [("rebalance", "summary.json"), ("review_queue", "neighbors.parquet")]
    found = [(stage, name) for stage, name in single if stage in stages]
    if "crossval" in stages:
        folds = items("crossval", workspace=workspace)
        found += [(f"crossval@{fold}", f"fold-{fold}.parquet") for fold in folds]
    return found


def _mark_in(made: Path) -> Mapping[str, Any] | None:
    if not made.is_file():
        return None
    if made.suffix == ".json":
        return read_json(made).get(MARK)
    text = read_metadata(made).get(MARK)
    return None if text is None else json.loads(text)


def _taken_for_read(stage: str, file: Path, *, workspace: Path) -> bool:
    """Whether `dvc.lock` has the file as it is now, so that `dvc repro` alone would do nothing."""
    return _recorded(stage, file, workspace=workspace) == hashlib.md5(file.read_bytes()).hexdigest()


def _recorded(stage: str, file: Path, *, workspace: Path) -> str | None:
    """The MD5 of a dependency as `dvc.lock` has it."""
    try:
        lock = read_yaml(workspace / LOCK_FILE)
        deps = lock["stages"][stage]["deps"]
        path = file.relative_to(workspace).as_posix()
        return next((dep["md5"] for dep in deps if dep["path"] == path), None)
    except (FileNotFoundError, KeyError, TypeError, UserError):
        return None
