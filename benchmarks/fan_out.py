"""Whether stages side by side in one workspace are safe, how much faster they are, what Prefect costs.

    python benchmarks/fan_out.py                # all three; about ten minutes
    python benchmarks/fan_out.py --fan-outs 5   # fewer repetitions of the first

1. Fan-outs of four short stages: how many failed, whether `dvc.lock` is complete and `dvc status` clean.
2. Four stages that wait for 30 seconds, on four slots and on one: the clock, and how they overlap.
3. A flow of stages that are all up to date, with few and with many of them: what a task costs.

It makes its own workspaces and starts its own server, on loopback.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table

from tests.support.flows.tiny_graph import FLOWS, fan, make_line, stage
from tests.support.flows.typed_commands import ok, repro
from tests.support.servers.prefect import Server, make_held_line, serving

NUM_PARTS = 4
SECONDS = 30.0
NUM_TASKS = (10, 60)
TIMED = (
    "import pathlib, time; start = time.time(); time.sleep(SECONDS); "
    'pathlib.Path("part-${item.part}").write_text(f"{start} {time.time()}")'
)


def timed_rebuild(server: Server, line: Path) -> float:
    """The seconds of a flow that must succeed, as the server measured them: without its start."""
    finished = server.rebuild(line)
    if finished.returncode:
        sys.exit(finished.stdout + finished.stderr)
    return float(server.run_of(finished)["total_run_time"])


def count_failures(server: Server, folder: Path, num_fan_outs: int) -> int:
    """Runs fan-outs in one workspace, each after a change; the number of those that were not perfect."""
    line = make_line(folder / "safe", fan(0.2, number=NUM_PARTS))
    whole = {"first", "last", *(f"part@{number}" for number in range(NUM_PARTS))}
    stages = yaml.safe_load((line / "dvc.yaml").read_text())
    num_failures = 0
    for number in range(num_fan_outs):
        stages["stages"]["part"]["cmd"] += f" # {number}"
        (line / "dvc.yaml").write_text(yaml.safe_dump(stages, sort_keys=False))
        finished = server.rebuild(line)
        locked = yaml.safe_load((line / "dvc.lock").read_text())["stages"]
        current = all(
            locked[name]["cmd"].endswith(f" # {number}") for name in whole if "part" in name
        )
        status = json.loads(ok(line, "dvc", "status", "--json"))
        perfect = not finished.returncode and set(locked) == whole and current and not status
        num_failures += not perfect
    return num_failures


def timed_slots(server: Server, folder: Path, num_slots: int) -> tuple[float, int]:
    """Seconds of four slow stages on some slots, and how many of them ran at one moment."""
    stages = fan(number=NUM_PARTS)
    stages["part"]["cmd"] = f"python -c '{TIMED.replace('SECONDS', str(SECONDS))}'"
    params: dict[str, Any] = {"flows": FLOWS | {"cpu_slots": num_slots}}
    line = make_line(folder / f"slots-{num_slots}", stages, params=params)
    repro(line, "first")
    seconds = timed_rebuild(server, line)
    spans = [
        tuple(map(float, (line / f"part-{number}").read_text().split()))
        for number in range(NUM_PARTS)
    ]
    return seconds, max(sum(start <= at < end for start, end in spans) for at, _ in spans)


def seconds_of_cached(server: Server, folder: Path, num_tasks: int) -> float:
    """Seconds of a flow of stages that are all up to date."""
    only = stage(
        'open("part-${item.part}", "w")',
        deps=["source"],
        outs=["part-${item.part}"],
        matrix={"part": list(range(num_tasks))},
    )
    line = make_line(folder / f"cached-{num_tasks}", {"part": only})
    repro(line)
    return timed_rebuild(server, line)


def main() -> None:
    """Measures, and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fan-outs", type=int, default=25, help="repetitions (default: 25)")
    flags = parser.parse_args()
    table = Table("measured", "value", title=f"{os.cpu_count()} processors")
    with (
        tempfile.TemporaryDirectory() as name,
        serving(make_held_line(Path(name) / "served")) as server,
    ):
        folder = Path(name)
        started = time.monotonic()
        num_failures = count_failures(server, folder, flags.fan_outs)
        table.add_row(
            f"fan-outs of {NUM_PARTS} that were not perfect", f"{num_failures} of {flags.fan_outs}"
        )
        mean = (time.monotonic() - started) / flags.fan_outs
        table.add_row("seconds of such a fan-out, its start included", f"{mean:.1f}")
        seconds = {}
        for num_slots in (1, NUM_PARTS):
            seconds[num_slots], overlap = timed_slots(server, folder, num_slots)
            words = f"seconds of {NUM_PARTS} stages of {SECONDS:.0f} s on {num_slots} slots"
            table.add_row(words, f"{seconds[num_slots]:.1f}, {overlap} at a time")
        table.add_row("times faster", f"{seconds[1] / seconds[NUM_PARTS]:.2f}")
        few, many = (seconds_of_cached(server, folder, number) for number in NUM_TASKS)
        cost = (many - few) / (NUM_TASKS[1] - NUM_TASKS[0])
        table.add_row("milliseconds that Prefect takes for a task", f"{1000 * cost:.0f}")
    Console().print(table)


if __name__ == "__main__":
    main()
