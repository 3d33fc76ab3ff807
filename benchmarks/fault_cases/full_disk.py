"""Fills the disk while a stage runs, and lets it run again with room."""

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.fault_cases.runs import Run, contents, differences, repro

SIZE = "400m"
_FILLER = "filler"


@dataclass(frozen=True)
class Full:
    """What a stage said when the disk was full."""

    stage: str
    code: int
    words: str
    """Its own line, or DVC's."""
    is_one_line: bool
    """Whether the output has one line of error of the stage, and no traceback."""


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[Path | None]:
    """A file system in memory (tmpfs); None without the right to mount one."""
    folder.mkdir(parents=True, exist_ok=True)
    words = ("mount", "-t", "tmpfs", "-o", f"size={SIZE}", "none", str(folder))
    if subprocess.run(words, capture_output=True, check=False).returncode:
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run(("umount", str(folder)), check=True)


def fill(folder: Path) -> None:
    """Writes a file until nothing more fits."""
    with (folder / _FILLER).open("ab", buffering=0) as file:
        size = 2**20
        while size:
            try:
                file.write(bytes(size))
            except OSError:
                size //= 2


def fill_in_each_stage(
    fresh: Path, disk: Path, stages: list[str], *, expected: dict[str, str]
) -> tuple[list[Full], list[str]]:
    """Runs stage after stage, each first on a full disk.

    Args:
        fresh: A workspace in which nothing has run.
        disk: A small file system.
        stages: All of them, in order.
        expected: What the undisturbed run wrote.

    Returns:
        How each ended when the disk was full, and the outputs that differ at the end.
    """
    found: list[Full] = []
    folder = disk / "workspace"
    shutil.copytree(fresh, folder, symlinks=True)
    for stage in stages:
        run = Run(folder, stage)
        if run.wait_for(stage):
            fill(disk)
        ended = run.end()
        (disk / _FILLER).unlink(missing_ok=True)
        own = [line for line in ended.errors if line.startswith("error:")]
        words = (own or ended.errors or ["no word"])[0]
        is_one_line = len(own) == 1 and "Traceback" not in ended.printed
        found.append(Full(stage, ended.code, words, is_one_line))
        again = repro(folder, stage)
        if again.code:
            return found, [f"{stage} failed with room: {again.errors}"]
    last = repro(folder)
    return found, differences(expected, contents(folder)) if last.code == 0 else ["all"]
