"""Measures seconds and peak memory of each stage, by its own command, where `dvc repro` has run.

    python benchmarks/stages.py                      # the data stages, in this workspace: half a minute
    python benchmarks/stages.py train evaluate       # others, by name: a matrix runs its first item

Outputs are written again, with the same bytes; nothing is recorded by DVC.
"""

import argparse
import os
import subprocess
import sys
import time
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

import yaml

from fer_data.stages.settings import read_params
from flows.workspace.client import environment

DATA_STAGES = (
    "ingest",
    "validate",
    "split",
    "mislabels",
    "review_queue",
    "rebalance",
    "quality_report",
    "tfrecords",
)


def command_of(stage: dict[str, Any], params: dict[str, Any]) -> list[str]:
    """The words of a stage's command, for the first of its items."""
    command, items = stage.get("do", stage)["cmd"], stage.get("foreach", {})
    if isinstance(items, str):  # such as ${ensemble.members}, a list in params.yaml
        items = reduce(getitem, items[2:-1].split("."), params)
    for place in ("${key}", "${item}"):
        command = command.replace(place, next(iter(items), ""))
    for key, items in stage.get("matrix", {}).items():
        command = command.replace(f"${{item.{key}}}", str(items[0]))
    return command.split()


def measure(command: list[str], *, folder: Path = Path()) -> tuple[float, float, float]:
    """Runs a command in a folder; gives its seconds, those of processors, and its peak memory in MB."""
    started = time.monotonic()
    process = subprocess.Popen(command, cwd=folder, env=environment(), stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"error: {' '.join(command)} failed: has `dvc repro` run here?")
    return time.monotonic() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1000


def main() -> None:
    """Prints one line a stage, and the sum and the peak of all."""
    stages = yaml.safe_load(Path("dvc.yaml").read_text(encoding="utf-8"))["stages"]
    params = read_params()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stages", nargs="*", default=DATA_STAGES, metavar="STAGE")
    names = parser.parse_args().stages
    unknown = [name for name in names if name not in stages]
    if unknown:
        sys.exit(f"error: no stage '{unknown[0]}': expected some of {', '.join(stages)}")
    rows = [(name, *measure(command_of(stages[name], params))) for name in names]
    _, seconds, of_processors, megabytes = zip(*rows, strict=True)
    rows.append(("all", sum(seconds), sum(of_processors), max(megabytes)))
    print(f"{'stage':<16}{'seconds':>8}{'of processors':>15}{'peak MB':>9}")
    for name, seconds, of_processors, megabytes in rows:
        print(f"{name:<16}{seconds:>8.1f}{of_processors:>15.1f}{megabytes:>9.0f}")


if __name__ == "__main__":
    main()
