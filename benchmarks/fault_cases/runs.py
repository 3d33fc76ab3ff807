"""Makes a small workspace, runs `dvc repro` in it, and compares what it wrote."""

import hashlib
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from fer_data.stages.settings import PARAMS_FILE
from fer_data.synthetic.drawn_archive import write_sample
from fer_models.networks.registry import ZOO
from flows.workspace.client import environment
from flows.workspace.create import make_workspace
from flows.workspace.overrides import apply_overrides

MODELS = ("scratch", "compact")
FOLDS = 2
SETTINGS = {
    "pipeline": {"folds": [*range(FOLDS)], "models": {m: None for m in ZOO if m not in MODELS}},
    "split": {"num_folds": FOLDS},
    "crossval": {"filters": [4, 8], "epochs": 3, "batch_size": 32},
    "review_queue": {"budget": 40},
    "models": {
        "scratch": {"filters": [4, 8, 8], "dense_units": 16, "epochs": 4},
        "compact": {"filters": [4, 8, 8], "epochs": 4},
    },
    "ensemble": {"epochs": 2, "members": list(MODELS)},
    "report": {"models": [*MODELS, "ensemble"]},
    "evaluate": {"bootstrap_resamples": 100},
}
TIMES = ("seconds", "milliseconds_alone", "milliseconds_in_batch")
"""Metrics that are times, which no two runs share: left out by name, at any depth and in any table."""
PAGES = ("*.html", "*.md", "*.svg", "*.tsv", "events.out.tfevents.*")
"""Files for people, which show those times, DVCLive's, which date each epoch, and TensorBoard's, whose
names hold time and process: not compared."""
_POLL_SECONDS = 0.02
_STARTS = re.compile(r"^Running stage '(.+)':", re.MULTILINE)


@dataclass(frozen=True)
class Ended:
    """How a `dvc repro` ended."""

    code: int
    """Its exit code; minus the signal where one ended it."""
    printed: str
    seconds: float

    @property
    def stages(self) -> list[str]:
        """Those that ran, in order."""
        return _STARTS.findall(self.printed)

    @property
    def errors(self) -> list[str]:
        """The lines that a stage or DVC said as an error."""
        return [line for line in self.printed.splitlines() if line.lower().startswith("error:")]


class Run:
    """A `dvc repro` in the background, with its stages in one process group."""

    def __init__(
        self, folder: Path, *words: str, variables: Mapping[str, str] | None = None
    ) -> None:
        """Starts it.

        Args:
            folder: The workspace.
            *words: What follows `dvc repro`.
            variables: Of its environment, beside the usual ones.
        """
        # Beside the workspace, which may be full.
        self._log = folder.parent / f"{folder.name}.{time.monotonic_ns()}.log"
        self._began = time.monotonic()
        self.starts: dict[str, float] = {}
        """When each stage was seen to start, in seconds since this run did."""
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                ["dvc", "repro", *words],
                cwd=folder,
                env={**environment(), "PYTHONUNBUFFERED": "1", **(variables or {})},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def printed(self) -> str:
        """All that it and its stages have printed until now."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def wait_for(self, stage: str | None) -> bool:
        """Waits until it says that it runs a stage, or any; tells whether it did so before it ended."""
        while True:
            has_ended = not self.is_running()
            self._look()
            if stage in self.starts or (stage is None and self.starts):
                return True
            if has_ended:
                return False
            time.sleep(_POLL_SECONDS)

    def watch(self, seconds: float) -> None:
        """Takes down when stages start, for some time or until the end."""
        deadline = time.monotonic() + seconds
        while self.is_running() and time.monotonic() < deadline:
            self._look()
            time.sleep(_POLL_SECONDS)
        self._look()

    def _look(self) -> None:
        for stage in _STARTS.findall(self.printed()):
            self.starts.setdefault(stage, time.monotonic() - self._began)

    def kill(self) -> Ended:
        """Ends all of it with signal 9."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        return self.end()

    def is_running(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.poll() is None

    def end(self) -> Ended:
        """Waits for its end."""
        code = self._process.wait()
        printed = self.printed()
        self._log.unlink()
        return Ended(code, printed, time.monotonic() - self._began)


def timed(folder: Path) -> tuple[Ended, dict[str, float]]:
    """Runs all, and takes the seconds of each stage until the next one starts."""
    run = Run(folder)
    run.watch(float("inf"))
    ended = run.end()
    moments = [*run.starts.values(), ended.seconds]
    lengths = [after - before for before, after in itertools.pairwise(moments)]
    return ended, dict(zip(run.starts, lengths, strict=True))


def repro(folder: Path, *words: str, variables: Mapping[str, str] | None = None) -> Ended:
    """Runs `dvc repro` to its end."""
    return Run(folder, *words, variables=variables).end()


def make(folder: Path, *, num_faces: int) -> Path:
    """Makes a workspace with an archive of drawn faces, in which nothing has run."""
    archive = folder.with_suffix(".zip")
    archive.parent.mkdir(parents=True, exist_ok=True)
    write_sample(archive, num_faces=num_faces)
    make_workspace(folder, archive=archive, overrides=SETTINGS)
    return folder


def set_setting(folder: Path, section: str, **values: Any) -> None:
    """Changes settings of a section, in which dots descend."""
    nested: Any = values
    for name in reversed(section.split(".")):
        nested = {name: nested}
    apply_overrides(nested, folder=folder)


@contextmanager
def copied(source: Path, target: Path) -> Iterator[Path]:
    """A copy of a workspace, which goes at the end."""
    shutil.copytree(source, target, symlinks=True)
    try:
        yield target
    finally:
        shutil.rmtree(target, ignore_errors=True)


def stages_of(folder: Path) -> dict[str, list[str]]:
    """The stages that have run, with their outputs, as `dvc.lock` lists them."""
    lock = yaml.safe_load((folder / "dvc.lock").read_text(encoding="utf-8"))["stages"]
    return {name: [out["path"] for out in stage.get("outs", ())] for name, stage in lock.items()}


def contents(folder: Path) -> dict[str, str]:
    """What all outputs hold, as hashes by path: bytes, of metrics without times, of pages nothing."""
    found: dict[str, str] = {}
    for outs in stages_of(folder).values():
        for out in outs:
            place = folder / out
            files = sorted(place.rglob("*")) if place.is_dir() else [place]
            for file in files:
                if file.is_file() and not any(map(file.match, PAGES)):
                    name = str(file.relative_to(folder))
                    found[name] = hashlib.sha256(_comparable(file)).hexdigest()
    return found


def differences(first: Mapping[str, str], second: Mapping[str, str]) -> list[str]:
    """The paths of outputs that differ, or that one lacks."""
    return sorted(
        path for path in first.keys() | second.keys() if first.get(path) != second.get(path)
    )


def settings_text(folder: Path) -> str:
    """The settings, to be put back."""
    return (folder / PARAMS_FILE).read_text(encoding="utf-8")


def _comparable(file: Path) -> bytes:
    data = file.read_bytes()
    if file.suffix == ".json":
        return json.dumps(_without_times(json.loads(data)), sort_keys=True).encode()
    if file.suffix == ".csv":
        header, *rows = (line.split(b",") for line in data.splitlines())
        kept = [at for at, name in enumerate(header) if name.decode() not in TIMES]
        if len(kept) < len(header):
            return b"\n".join(b",".join(row[at] for at in kept) for row in (header, *rows))
    return data


def _without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_times(one) for key, one in value.items() if key not in TIMES}
    return [_without_times(one) for one in value] if isinstance(value, list) else value
