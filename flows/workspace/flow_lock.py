"""Keeps one flow at a time in a workspace, and clears what killed processes left locked there."""

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import psutil

from fer_data.core.locks import HeldError, held

FLOW_LOCK = Path(".dvc/tmp/flow.lock")
DVC_LOCK = Path(".dvc/tmp/rwlock")


@contextmanager
def one_at_a_time(workspace: Path) -> Iterator[None]:
    """Locks the workspace for one flow; the lock ends with the process that holds it.

    Raises:
        HeldError: Another flow holds it.
    """
    file = workspace / FLOW_LOCK
    file.parent.mkdir(parents=True, exist_ok=True)
    where = workspace.absolute()
    refusal = f"a flow runs in {where} already, as process {{holder}}: wait for it, or end it"
    with held(file, refusal=refusal):
        yield


@contextmanager
def without_dvc(workspace: Path) -> Iterator[None]:
    """Keeps DVC's commands out of the workspace, such as while files of its cache are removed.

    Raises:
        HeldError: One is at work there: between two stages, or while a stage runs.
    """
    file = workspace / DVC_LOCK
    refusal = f"DVC runs in {workspace.absolute()}, as process {{holder}}: wait for it, or end it"
    with held(file.with_name("lock"), refusal=refusal):  # DVC's own
        try:
            locks = json.loads(file.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            locks = {}
        holders = [*locks.get("write", {}).values(), *chain(*locks.get("read", {}).values())]
        for holder in filter(_is_dvc, holders):
            raise HeldError(refusal.replace("{holder}", str(holder["pid"])))
        yield


def clear_left_locks(workspace: Path) -> None:
    """Removes what killed processes left in DVC's lock of files.

    DVC forgets dead processes by itself, unless their number is in use again, which it often is after a
    restart. And a process that was killed while it wrote the lock leaves half a file, with which every
    DVC command fails.
    """
    file = workspace / DVC_LOCK
    if not file.exists():
        return
    with file.with_name(f"{file.name}.lock").open("a+") as guard:  # DVC's own, held for moments
        fcntl.flock(guard, fcntl.LOCK_EX)
        try:
            locks = json.loads(file.read_text(encoding="utf-8"))
        except ValueError:
            file.unlink()
            return
        writers = {path: held for path, held in locks.get("write", {}).items() if _is_dvc(held)}
        readers = {
            path: [one for one in held if _is_dvc(one)]
            for path, held in locks.get("read", {}).items()
        }
        left = {"write": writers, "read": {path: held for path, held in readers.items() if held}}
        if left != {"write": locks.get("write", {}), "read": locks.get("read", {})}:
            file.write_text(json.dumps(left, allow_nan=False), encoding="utf-8")


def _is_dvc(holder: dict[str, Any]) -> bool:
    """Whether the process of that number lives and is DVC's, and not another one's by now."""
    try:
        return any("dvc" in word for word in psutil.Process(holder["pid"]).cmdline())
    except psutil.Error:
        return False
