"""Breaks runs of the whole graph on purpose, and compares how they end with an undisturbed one.

    python benchmarks/faults.py                          # all of it
    python benchmarks/faults.py --only kills --kills 5
    python benchmarks/faults.py --keep FOLDER            # a second run makes no undisturbed one

In workspaces of their own, with drawn faces and models of a few thousand weights, `dvc repro` is killed
with signal 9, runs out of disk in each stage (on a file system in memory, which root may mount), reads
files with a flipped bit, runs twice at once, and lives with a clock that jumps (by Debian's libfaketime,
which is fetched and not installed). After each fault the run goes on, and every output is compared byte
for byte; of metrics all but times. It prints Markdown, a row a fault.
"""

import argparse
import json
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from benchmarks.fault_cases.clocks import Tried, jumps, two_at_once
from benchmarks.fault_cases.damage import damage_all
from benchmarks.fault_cases.full_disk import SIZE, fill_in_each_stage, small_disk
from benchmarks.fault_cases.kills import plan, run_chain
from benchmarks.fault_cases.runs import (
    PAGES,
    TIMES,
    contents,
    copied,
    differences,
    make,
    stages_of,
    timed,
)

PARTS = ("kills", "disk", "damage", "twice", "clock")


def undisturbed(folder: Path, *, num_faces: int) -> dict[str, float]:
    """Makes `fresh` and `finished` below a folder, unless they are there; gives each stage's seconds."""
    times = folder / "seconds.json"
    if not times.is_file():
        fresh = make(folder / "fresh", num_faces=num_faces)
        with copied(fresh, folder / "second") as second:
            ended, seconds = timed(second)
            if ended.code:
                sys.exit(f"error: the undisturbed run failed: {ended.errors}")
            second.rename(folder / "finished")
        times.write_text(json.dumps(seconds))
    return json.loads(times.read_text())


def row(*cells: object) -> None:
    """Prints a row of the table."""
    print(f"| {' | '.join(str(cell).replace('|', '/') for cell in cells)} |", flush=True)


def tell_kills(
    folder: Path, seconds_of: dict[str, float], stages: list[str], num_kills: int, seed: int
) -> bool:
    """Kills in some stages first, and prints what was lost; tells whether all ends were equal."""
    expected = contents(folder / "finished")
    generator = random.Random(seed)
    chains = []
    for targets in plan(stages, num_kills):
        chain = run_chain(
            *(folder / "fresh", folder / "killed", targets),
            seconds_of=seconds_of,
            outs=[out for outs in stages_of(folder / "finished").values() for out in outs],
            expected=expected,
            generator=generator,
        )
        chains.append(chain)
        words = ", ".join(f"{kill.stage} after {kill.lost:.1f} s" for kill in chain.kills)
        state = f"{len(chain.differing)} outputs differ" if chain.differing else "all equal"
        print(f"killed in {words}: {state} {chain.differing[:5]}", file=sys.stderr, flush=True)
        if chain.last.code:
            print(chain.last.printed[-2000:], file=sys.stderr, flush=True)
    kills = [kill for chain in chains for kill in chain.kills]
    counts = Counter(kill.stage for kill in kills)
    whole = sum(seconds_of.values())
    spent = sum(chain.seconds for chain in chains) - whole * len(chains)
    num_equal = sum(not chain.differing for chain in chains)
    hit = f"in {len(counts)} of {len(seconds_of)} stages"
    lost = f"{num_equal} of {len(chains)} ends equal; {sum(k.lost for k in kills):.0f} s of stages"
    row(
        "kill, signal 9",
        f"{len(kills)}, {hit}",
        lost,
        f"{spent / max(len(kills), 1):.1f} a kill",
    )
    return num_equal == len(chains)


def tell_disk(folder: Path, stages: list[str]) -> bool:
    """Fills the disk in each stage; tells whether each said so in one line, and the end was equal."""
    with small_disk(folder / "disk") as disk:
        if disk is None:
            row("full disk", "not tried", "no right to mount a file system", "")
            return False
        started = time.monotonic()
        found, differing = fill_in_each_stage(
            folder / "fresh", disk, stages, expected=contents(folder / "finished")
        )
        seconds = time.monotonic() - started
    for one in found:
        print(f"{one.stage}: exit {one.code}: {one.words}", file=sys.stderr, flush=True)
    clear = sum(one.is_one_line and one.code != 0 for one in found)
    end = f"{len(differing)} outputs differ: {differing[:3]}" if differing else "the end is equal"
    lost = f"{clear} ended in one line of their own; {end}"
    row(f"full disk ({SIZE})", f"{len(found)} stages", lost, f"{seconds:.0f} in all")
    return not differing and clear == len(found)


def tell_damage(folder: Path) -> bool:
    """Flips bits; tells whether each was named, and mended as its message says."""
    expected = contents(folder / "finished")
    wells: list[bool] = []
    for one in damage_all(folder / "finished", folder / "damaged", expected=expected):
        wells.append(one.is_named and one.is_mended)
        print(f"{one.what} in the {one.place}: {one.words}", file=sys.stderr, flush=True)
        named = "named before it was used" if one.is_named else f"NOT named: {one.words}"
        mended = "then mended, equal" if one.is_mended else "NOT mended"
        row(
            f"flipped bit: {one.what}, in the {one.place}",
            1,
            f"{named}; {mended}",
            f"{one.seconds:.0f}",
        )
    return all(wells)


def tell(tried: Iterable[Tried]) -> bool:
    """Prints trials; tells whether all went well."""
    wells: list[bool] = []
    for one in tried:
        wells.append(one.is_well)
        row(one.what, 1, f"{'' if one.is_well else 'FAILED: '}{one.outcome}", f"{one.seconds:.0f}")
    return all(wells)


def break_all(folder: Path, flags: argparse.Namespace) -> bool:
    """Prints the table; tells whether nothing was lost."""
    seconds_of = undisturbed(folder, num_faces=flags.faces)
    finished, scratch = folder / "finished", folder / "copy"
    expected = contents(finished)
    num_files = len(expected)
    stages = flags.stages or [*seconds_of]
    print(f"{flags.faces} drawn faces, {len(seconds_of)} stages, {sum(seconds_of.values()):.0f} s")
    print(f"{num_files} files compared; left out: {', '.join(TIMES)}; files {', '.join(PAGES)}\n")
    row("what", "how often", "what was lost", "seconds")
    row(*["---"] * 4)
    wells = []
    if "control" in flags.only:
        with copied(folder / "fresh", scratch) as again:
            ended, seconds = timed(again)
            differing = differences(expected, contents(again))
        outcome = f"{len(differing)} outputs differ {differing[:5]}" if differing else "all equal"
        row("nothing", 1, outcome, f"{sum(seconds.values()):.0f}")
        wells.append(ended.code == 0 and not differing)
    if "kills" in flags.only:
        wells.append(tell_kills(folder, seconds_of, stages, flags.kills, flags.seed))
    if "disk" in flags.only:
        wells.append(tell_disk(folder, [*seconds_of]))
    if "damage" in flags.only:
        wells.append(tell_damage(folder))
    if "twice" in flags.only:
        wells.append(tell([two_at_once(finished, scratch, expected=expected)]))
    if "clock" in flags.only:
        wells.append(tell(jumps(finished, scratch, expected=expected)))
    return all(wells)


def main() -> None:
    """Prints the table; exit code 1 where something was lost."""
    parts = ("control", *PARTS)
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--faces", type=int, default=480, help="to draw")
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--stages", nargs="+", metavar="STAGE", help="to kill; by default all")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--only", nargs="+", choices=parts, default=parts, metavar="PART")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="of the undisturbed run")
    flags = parser.parse_args()
    # Weights are equal where threads are: all runs have one core, whoever else uses the others.
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory() as scratch:
        folder = flags.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        sys.exit(not break_all(folder.resolve(), flags))


if __name__ == "__main__":
    main()
