"""Trainings that benchmarks compare: of one recipe with changes, each kept in a file when finished."""

import fcntl
import hashlib
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd

from fer_data import records
from fer_data.artifacts import output
from fer_data.params import read_settings
from fer_data.schema import TEST, TRAIN, VALIDATION
from fer_data.stage import written_beside
from fer_data.tables import read_csv
from fer_models.batches import make_repeatable
from fer_models.checkpoints import Checkpoints
from fer_models.devices import dtype_policy, precision
from fer_models.intervals import bootstrap_intervals
from fer_models.recipe import Recipe
from fer_models.trainer import Samples, fit, with_noisy_copies
from fer_models.zoo import model_named


@dataclass(frozen=True)
class Faces:
    """What a workspace's trainings learn from, and are measured on."""

    train: Samples
    validation: Samples
    num_classes: int
    digests: tuple[str, ...]
    """Of the arrays: what was trained on other ones is another training."""


def read_faces() -> Faces:
    """The faces of the workspace in which the benchmark runs."""
    folder = output("tfrecords", "tfrecords")
    train, validation = (
        Samples(examples.faces, examples.labels, examples.weights)
        for examples in (records.read_role(folder, role) for role in (TRAIN, VALIDATION))
    )
    arrays = (train.inputs, train.labels, train.weights, validation.inputs, validation.labels)
    digests = tuple(hashlib.sha256(array.tobytes()).hexdigest() for array in arrays)
    return Faces(train, validation, len(records.expressions(folder)), digests)


def read_test_faces() -> Samples:
    """Those of `test`, for what is to be published and no longer to be chosen."""
    examples = records.read_role(output("tfrecords", "tfrecords"), TEST)
    return Samples(examples.faces, examples.labels, examples.weights)


def recipe_of(model: str) -> Recipe:
    """A model's recipe in the workspace's `params.yaml`."""
    return read_settings(model_named(model).settings_class, f"models.{model}")


def changed(recipe: Recipe, changes: Mapping[str, Any]) -> Recipe:
    """The recipe with changes, key by key within its sections, checked as `params.yaml` is."""
    values = recipe.model_dump(mode="json")
    for name, value in changes.items():
        values[name] = values[name] | value if isinstance(value, Mapping) else value
    return type(recipe).model_validate_json(json.dumps(values))


def trained(
    model: str,
    recipe: Recipe,
    faces: Faces,
    *,
    adapt: Callable[[keras.Model], None] | None = None,
) -> keras.Model:
    """Builds a model of the zoo and trains it; `adapt` changes what was built."""
    keras.backend.clear_session()
    make_repeatable(recipe.seed, deterministic=recipe.deterministic)
    with precision(dtype_policy(recipe)):
        built = model_named(model).build(recipe, faces.num_classes)
    if adapt is not None:
        adapt(built)
    with tempfile.TemporaryDirectory() as logs:
        fit(
            *(built, with_noisy_copies(faces.train, recipe), faces.validation),
            recipe=recipe,
            logs=Path(logs),
            kept=Checkpoints(Path(logs)),
        )
    return built


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


class Kept:
    """Finished trainings in a CSV file, a row each. Several processes may fill one file side by side.

    Columns `right` and `right_on_test` hold a bit a face, in hexadecimal.
    """

    def __init__(self, file: Path) -> None:
        """Reads nothing yet; the file need not be there."""
        self._file = file

    def once(
        self,
        train: Callable[[], keras.Model],
        faces: Faces,
        *,
        settings: Sequence[Any],
        test: Samples | None = None,
        **row: Any,
    ) -> str:
        """Trains and measures, unless that was done already.

        Args:
            train: What trains a model.
            faces: What it learns from, and is measured on.
            settings: All that it depends on beside the faces, as JSON knows it.
            test: The faces of `test`, if those are to be looked at.
            **row: What the file says of it: `arm`, `seed`, `epochs`.

        Returns:
            The training's key.
        """
        text = json.dumps([*settings, faces.digests, test is not None])
        key = hashlib.sha256(text.encode()).hexdigest()[:16]
        if key in set(self._rows()["key"]):
            return key
        wall, busy = time.perf_counter(), time.process_time()
        model = train()
        seconds = {
            "seconds": time.perf_counter() - wall,
            "processor_seconds": time.process_time() - busy,
        }
        labels = faces.validation.labels
        said = model.predict(faces.validation.inputs, batch_size=512, verbose=0)
        of_label = said[np.arange(len(labels)), labels]
        added = {
            **{"key": key, **row, **seconds},
            "accuracy": float((said.argmax(axis=1) == labels).mean()),
            "loss": float(-np.log(np.maximum(of_label, 1e-7)).mean()),
            "right": _packed(said.argmax(axis=1) == labels),
        }
        if test is not None:
            said = model.predict(test.inputs, batch_size=512, verbose=0)
            added["right_on_test"] = _packed(said.argmax(axis=1) == test.labels)
        self._add(added)
        words = ", ".join(f"{name} {value}" for name, value in row.items())
        line = f"{words}: {added['accuracy']:.4f}, {seconds['seconds']:.0f} s"
        print(line, file=sys.stderr, flush=True)
        return key

    def trainings(
        self, keys: Sequence[str], *, num_faces: int, num_test_faces: int | None = None
    ) -> Trainings:
        """Kept trainings, by their keys."""
        rows = self._rows().set_index("key").loc[list(keys)]
        on_test = None
        if num_test_faces is not None:
            on_test = _unpacked(rows["right_on_test"], num_test_faces)
        minutes, of_processor = (
            rows[name].mean() / 60 for name in ("seconds", "processor_seconds")
        )
        right = _unpacked(rows["right"], num_faces)
        return Trainings(right, on_test, rows["loss"].mean(), minutes, of_processor)

    def _add(self, row: Mapping[str, Any]) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._file.with_name(f"{self._file.name}.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # goes with the file, however this ends
            rows = self._rows().to_dict("records")
            others = [one for one in rows if one["key"] != row["key"]]
            with written_beside(self._file) as beside:
                pd.DataFrame([*others, row]).to_csv(beside, index=False)

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


def _packed(right: np.ndarray) -> str:
    return np.packbits(right).tobytes().hex()


def _unpacked(rows: Iterable[str], num_faces: int) -> np.ndarray:
    bits = (np.frombuffer(bytes.fromhex(row), np.uint8) for row in rows)
    return np.stack([np.unpackbits(one, count=num_faces).astype(bool) for one in bits])
