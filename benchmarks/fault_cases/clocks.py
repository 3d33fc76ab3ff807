"""Lets the clock jump, by libfaketime, and runs two `dvc repro` at once."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.fault_cases.runs import Run, contents, copied, differences, repro
from flows.workspace.client import environment

PACKAGE = "libfaketime"
_DECIDE = """
import sys
from pathlib import Path
from fer_data.annotation.decision_writer import Decision
from fer_data.annotation.standing_decisions import Standing
from fer_data.core.clock import now
names = ("happy", "sad", "fear")
file = Path(sys.argv[1])
Standing(file, expressions=names).append([Decision("0" * 64, "happy", sys.argv[2], "ann", now())])
print(Standing(file, expressions=names).on(["0" * 64])[0].decision)
"""
DOWNSTREAM = "train@scratch"
"""From here down all is run again under a jumping clock."""


@dataclass(frozen=True)
class Tried:
    """One trial."""

    what: str
    outcome: str
    is_well: bool
    seconds: float


@contextmanager
def libfaketime() -> Iterator[Path | None]:
    """The library, from Debian's package, which is unpacked and not installed; None without it."""
    with tempfile.TemporaryDirectory() as scratch:
        for words in (
            f"apt-get download {PACKAGE}",
            f"dpkg-deb --extract {PACKAGE}_*.deb unpacked",
        ):
            done = subprocess.run(
                words, shell=True, cwd=scratch, capture_output=True, text=True, check=False
            )
            if done.returncode:
                yield None
                return
        yield next(Path(scratch).rglob("libfaketime.so.1"))


def clock_of(library: Path, stamp: Path) -> dict[str, str]:
    """The variables of a process whose clock is off by what a file says, such as `-2d`."""
    return {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(stamp),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }


def jumps(finished: Path, scratch: Path, *, expected: Mapping[str, str]) -> Iterator[Tried]:
    """Runs under clocks that are off, or jump while a stage runs; in copies of a finished run."""
    with libfaketime() as library:
        if library is None:
            yield Tried("a clock that jumps", f"not tried: no {PACKAGE}", False, 0.0)
            return
        stamp = scratch.parent / "clock"
        variables = clock_of(library, stamp)
        for offset in ("-400d", "+400d"):
            stamp.write_text(offset)
            with copied(finished, scratch) as folder:
                ended = repro(folder, variables=variables)
                reran = ", ".join(ended.stages) or "nothing"
                is_well = ended.code == 0 and not ended.stages
                yield Tried(f"clock off by {offset}", f"{reran} reran", is_well, ended.seconds)
        with copied(finished, scratch) as folder:
            yield _jump_meanwhile(folder, stamp, variables, expected)
        yield _decide(finished, scratch, stamp, variables)


def _jump_meanwhile(
    folder: Path, stamp: Path, variables: dict[str, str], expected: Mapping[str, str]
) -> Tried:
    stamp.write_text("+0")
    run = Run(folder, "--force", "--downstream", DOWNSTREAM, variables=variables)
    offsets = ["-2d", "+2d"]
    while run.is_running():
        run.wait_for(None)
        run.watch(3)
        stamp.write_text(offsets[0])
        offsets.reverse()
    ended = run.end()
    after = repro(folder)
    differing = differences(expected, contents(folder))
    is_well = ended.code == 0 and not differing and not after.stages
    outcome = f"{len(ended.stages)} stages reran, {len(differing)} outputs differ, then "
    outcome += f"{len(after.stages)} stages reran{''.join(f'; {one}' for one in ended.errors[:1])}"
    return Tried("clock jumps 4 days every 3 s", outcome, is_well, ended.seconds)


def _decide(finished: Path, scratch: Path, stamp: Path, variables: dict[str, str]) -> Tried:
    """Decides twice on a face, the second time with a clock 12 hours earlier.

    More than a day, and the second decision is refused: times of tomorrow are no times.
    """
    with copied(finished, scratch) as folder:
        last = ""
        for offset, decision in (("+6h", "sad"), ("-6h", "fear")):
            stamp.write_text(offset)
            words = [sys.executable, "-c", _DECIDE, "data/relabels.csv", decision]
            env = {**environment(), **variables}
            done = subprocess.run(
                words, cwd=folder, env=env, capture_output=True, text=True, check=True
            )
            last = done.stdout.strip()
        lines = (folder / "data/relabels.csv").read_text(encoding="utf-8").splitlines()[-2:]
        times = [line.split(",")[4] for line in lines]
    outcome = f"'{last}' stands, the second one; times {times[0]}, {times[1]}"
    return Tried("decision, then clock back 12 hours, then another", outcome, last == "fear", 0.0)


def two_at_once(finished: Path, scratch: Path, *, expected: Mapping[str, str]) -> Tried:
    """Starts a second `dvc repro` while the first one runs a stage."""
    with copied(finished, scratch) as folder:
        first = Run(folder, "--force", "--downstream", DOWNSTREAM)
        first.wait_for(DOWNSTREAM)
        second = repro(folder, "--force", "--downstream", DOWNSTREAM)
        ended = first.end()
        differing = differences(expected, contents(folder))
        after = repro(folder)
    said = (second.errors or ["no error"])[0]
    is_well = ended.code == 0 and not differing and not after.stages
    is_well = is_well and (second.code == 0 or len(second.errors) == 1)
    return Tried("second `dvc repro` during the first", said, is_well, second.seconds)
