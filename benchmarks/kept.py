"""Finished trainings in a CSV file, and checkpoints of unfinished ones beside it.

Several processes may fill one file side by side: each takes the next training that nobody has begun.
"""

import fcntl
import hashlib
import json
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd

from benchmarks.trainings import Faces
from fer_data.core.errors import UserError
from fer_data.core.files import atomic_write
from fer_data.core.locks import HeldError
from fer_data.core.tables import read_csv
from fer_models.metrics.bootstrap import bootstrap_intervals
from fer_models.training.checkpoints import (
    Checkpoint,
    Checkpoints,
    fingerprint_of,
    open_checkpoints,
)
from fer_models.training.samples import Samples


@dataclass(frozen=True)
class Trainings:
    """Trainings that differ in their seed alone."""

    right: np.ndarray
    """Whether it gets a face of `validation` right, bool (S, N) of S seeds."""
    right_on_test: np.ndarray | None
    """The same of `test`, where that was looked at."""
    loss: float
    """On `validation`, in nats, the mean of them."""
    minutes: float
    """Of one of them, on average."""
    processor_minutes: float
    """Of one of them, on average, of all cores together."""


class Clock:
    """The seconds of a training, over all processes that had a part in it."""

    def __init__(self, earlier: Mapping[str, float] | None = None) -> None:
        """Starts it.

        Args:
            earlier: The `seconds` of the processes before.
        """
        self.earlier = earlier or {}
        self._wall, self._busy = time.perf_counter(), time.process_time()

    @property
    def seconds(self) -> dict[str, float]:
        """Those of the clock, and those of the processor's cores together."""
        ours = {
            "seconds": time.perf_counter() - self._wall,
            "processor_seconds": time.process_time() - self._busy,
        }
        return {name: value + self.earlier.get(name, 0.0) for name, value in ours.items()}


@dataclass(frozen=True, kw_only=True)
class Timed(Checkpoints):
    """Checkpoints that keep what the training has taken so far."""

    clock: Clock

    def newest(self) -> Checkpoint | None:
        """The newest checkpoint, after which the clock goes on."""
        found = super().newest()
        if found is not None:
            self.clock.earlier = found.state["spent"]
        return found

    def save(self, checkpoint: Checkpoint) -> None:
        """Writes a checkpoint with the clock's seconds."""
        state = {**checkpoint.state, "spent": self.clock.seconds}
        super().save(replace(checkpoint, state=state))


class Kept:
    """Finished trainings in a CSV file, a row each.

    Columns `right` and `right_on_test` hold a bit a face, in hexadecimal.
    """

    def __init__(self, file: Path) -> None:
        """Reads nothing yet; the file need not be there."""
        self._file = file

    def once(
        self,
        train: Callable[[Checkpoints], keras.Model],
        faces: Faces,
        *,
        settings: Sequence[Any],
        test: Samples | None = None,
        **row: Any,
    ) -> str:
        """Trains and measures, unless that was done already or another process is at it.

        Args:
            train: What trains a model, from the newest of its checkpoints on.
            faces: What it learns from, and is measured on.
            settings: All that it depends on beside the faces, as JSON knows it.
            test: The faces of `test`, if those are to be looked at.
            **row: What the file says of it: `arm`, `seed`, `epochs`.

        Returns:
            The training's key.
        """
        text = json.dumps([*settings, faces.digests, test is not None])
        key = hashlib.sha256(text.encode()).hexdigest()[:16]
        if self._has(key):
            return key
        words = ", ".join(f"{name} {value}" for name, value in row.items())
        folder = self._file.with_name(f"{self._file.name}.unfinished") / key
        try:
            with open_checkpoints(folder, fingerprint_of({"key": key}, files=[])) as kept:
                if not self._has(key):
                    _say(words)
                    found = _measured(train, kept, faces, test)
                    self._add({"key": key, **row, **found})
                    _say(f"{words}: {found['accuracy']:.4f}, {found['seconds']:.0f} s")
        except HeldError:
            _say(f"{words}: left to the process that is at it")
        else:
            shutil.rmtree(folder, ignore_errors=True)
        return key

    def trainings(
        self, keys: Sequence[str], *, num_faces: int, num_test_faces: int | None = None
    ) -> Trainings:
        """Kept trainings, by their keys.

        Raises:
            UserError: Another process has not finished one of them yet.
        """
        rows = self._rows().set_index("key")
        missing = set(keys) - set(rows.index)
        if missing:
            raise UserError(
                f"other processes are still at {len(missing)} of these trainings: run this again "
                "after them for the table"
            )
        rows = rows.loc[list(keys)]
        on_test = None
        if num_test_faces is not None:
            on_test = _unpacked(rows["right_on_test"], num_test_faces)
        minutes, of_processor = (
            rows[name].mean() / 60 for name in ("seconds", "processor_seconds")
        )
        right = _unpacked(rows["right"], num_faces)
        return Trainings(right, on_test, rows["loss"].mean(), minutes, of_processor)

    def _has(self, key: str) -> bool:
        return key in set(self._rows()["key"])

    def _add(self, row: Mapping[str, Any]) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._file.with_name(f"{self._file.name}.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # goes with the file, however this ends
            rows = [*self._rows().to_dict("records"), row]
            with atomic_write(self._file) as beside:
                pd.DataFrame(rows).to_csv(beside, index=False)

    def _rows(self) -> pd.DataFrame:
        return read_csv(self._file) if self._file.exists() else pd.DataFrame(columns=["key"])


def over_faces(differences: np.ndarray) -> tuple[float, float]:
    """The 95 % bootstrap interval of the mean of N faces' differences, float (N,)."""
    found = bootstrap_intervals(
        lambda counts: {"mean": counts @ differences / len(differences)},
        len(differences),
        num_resamples=1000,
        seed=0,
    )["mean"]
    assert found.low is not None  # None where it is not defined; a mean always is
    assert found.high is not None
    return found.low, found.high


def _measured(
    train: Callable[[Checkpoints], keras.Model],
    kept: Checkpoints,
    faces: Faces,
    test: Samples | None,
) -> dict[str, Any]:
    """Trains a model, and says what it took and what it reaches."""
    clock = Clock()
    model = train(Timed(folder=kept.folder, clock=clock))
    seconds = clock.seconds
    labels = faces.validation.labels
    said = model.predict(faces.validation.inputs, batch_size=512, verbose=0)
    of_label = said[np.arange(len(labels)), labels]
    found = {
        **seconds,
        "accuracy": float((said.argmax(axis=1) == labels).mean()),
        "loss": float(-np.log(np.maximum(of_label, 1e-7)).mean()),
        "right": _packed(said.argmax(axis=1) == labels),
    }
    if test is not None:
        said = model.predict(test.inputs, batch_size=512, verbose=0)
        found["right_on_test"] = _packed(said.argmax(axis=1) == test.labels)
    return found


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _packed(right: np.ndarray) -> str:
    return np.packbits(right).tobytes().hex()


def _unpacked(rows: Iterable[str], num_faces: int) -> np.ndarray:
    bits = (np.frombuffer(bytes.fromhex(row), np.uint8) for row in rows)
    return np.stack([np.unpackbits(one, count=num_faces).astype(bool) for one in bits])
