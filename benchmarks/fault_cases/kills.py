"""Kills `dvc repro` at random moments, in every stage, and lets it go on."""

import random
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.fault_cases.runs import Ended, Run, contents, copied, differences, repro

RANDOM_A_CHAIN = 11
"""Kills of a run from nothing whose moments are random over the whole length."""


@dataclass(frozen=True)
class Kill:
    """One kill."""

    stage: str
    """What ran at that moment."""
    lost: float
    """Seconds for which that stage had run."""


@dataclass(frozen=True)
class Chain:
    """A run from nothing, killed again and again until it ended."""

    kills: list[Kill]
    seconds: float
    """Of all its parts together."""
    last: Ended
    differing: list[str]
    """Outputs that are not as those of the undisturbed run."""


def plan(stages: list[str], num_kills: int) -> list[list[str | None]]:
    """Deals kills to chains: first one in each stage, in order, then those at any moment (None)."""
    chains: list[list[str | None]] = [list(stages[:num_kills])]
    left = num_kills - len(stages)
    while left > 0:
        chains.append([None] * min(left, RANDOM_A_CHAIN))
        left -= RANDOM_A_CHAIN
    return chains


def run_chain(
    fresh: Path,
    scratch: Path,
    targets: list[str | None],
    *,
    seconds_of: dict[str, float],
    outs: Iterable[str],
    expected: dict[str, str],
    generator: random.Random,
) -> Chain:
    """Starts from nothing, kills, goes on after each kill, and compares the end.

    Args:
        fresh: A workspace in which nothing has run.
        scratch: A folder for its copy, which must not exist.
        targets: For each kill the stage to hit, or None for any moment.
        seconds_of: How long each stage takes undisturbed.
        outs: The paths of all outputs. Every second stage is hit while it writes one of them.
        expected: What the undisturbed run wrote.
        generator: Of the moments.
    """
    kills: list[Kill] = []
    places = sorted({Path(out).parent for out in outs})
    total, whole = 0.0, sum(seconds_of.values())
    with copied(fresh, scratch) as folder:
        for number, target in enumerate(targets):
            run = Run(folder)
            # Half a stage's length, since it may be faster now; its end is what every second kill hits.
            length = whole / (len(targets) + 1) if target is None else seconds_of[target] / 2
            if run.wait_for(target):
                if target and number % 2:
                    _wait_for_writing(run, target, [folder / place for place in places])
                else:
                    run.watch(generator.uniform(0, length))
                was_running = run.is_running()
                ended = run.kill()
                stage, begun = [*run.starts.items()][-1]
                if was_running:
                    kills.append(Kill(stage, ended.seconds - begun))
            else:
                ended = run.end()
            total += ended.seconds
        last = repro(folder)
        differing = differences(expected, contents(folder)) if last.code == 0 else ["all"]
    return Chain(kills, total + last.seconds, last, differing)


def _wait_for_writing(run: Run, stage: str, places: list[Path]) -> None:
    """Waits until a stage writes an output beside its place, or has ended."""

    def unfinished() -> set[Path]:
        return {file for place in places for file in place.glob(".*.unfinished/*")}

    left = unfinished()  # by one that was killed
    while run.is_running() and not unfinished() - left:
        run.watch(0)
        if [*run.starts][-1] != stage:
            return
        time.sleep(0.002)
