"""Tiny workspaces: a graph of stages that write a word, and nothing of TensorFlow."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from flows.workspace.client import commit, git
from tests.support.flows.typed_commands import ok

FLOWS = {
    "gpus": 0,
    "cpu_slots": 4,
    "ray_address": None,
    "timeout_minutes": 5,
    "retries": 1,
    "retry_delay_seconds": 0.1,
}


def stage(code: str, *, deps: list[str], outs: list[str], **more: Any) -> dict[str, Any]:
    """A stage that runs a line of Python."""
    return {"cmd": f"python -c '{code}'", "deps": deps, "outs": outs, **more}


def write(path: str, *, after: str = "") -> str:
    """Python that writes a word to a file, after some other statement."""
    return f'{after}; open("{path}", "w").write("word")'.removeprefix("; ")


def fan(seconds: float = 0.0, *, number: int = 4) -> dict[str, Any]:
    """`first`, then `part@0`, `part@1` ... side by side, then `last`."""
    slow = write("part-${item.part}", after=f"import time; time.sleep({seconds})")
    return {
        "first": stage(write("first"), deps=["source"], outs=["first"]),
        "part": {
            "matrix": {"part": list(range(number))},
            **stage(slow, deps=["first"], outs=["part-${item.part}"]),
        },
        "last": stage(
            write("last"), deps=[f"part-{part}" for part in range(number)], outs=["last"]
        ),
    }


def make_line(
    folder: Path, stages: Mapping[str, Any], *, params: Mapping[str, Any] | None = None
) -> Path:
    """Makes a workspace with a graph, a file `source`, and settings for the flow."""
    folder.mkdir(parents=True)
    git("init", "--quiet", "--initial-branch=main", cwd=folder)
    ok(folder, "dvc", "init", "--quiet")
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": dict(stages)}, sort_keys=False))
    (folder / "params.yaml").write_text(yaml.safe_dump({"flows": FLOWS, **(params or {})}))
    (folder / "source").write_text("1")
    commit(folder, "Start")
    return folder
