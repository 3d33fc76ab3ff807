"""Trainings that benchmarks compare: one model's settings with changes, on the faces of a workspace.

Each finished training is a JSON file of its own, so that none is repeated and several processes may
fill one folder side by side.
"""

import hashlib
import json
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import keras
import numpy as np

from fer_data.core import tfrecord
from fer_data.core.catalog import output
from fer_data.core.files import atomic_write
from fer_data.core.schema import TEST, TRAIN, VALIDATION
from fer_data.core.tables import read_json
from fer_models.core.devices import dtype_policy, precision
from fer_models.core.input_pipeline import make_repeatable
from fer_models.core.training_settings import TrainingSettings
from fer_models.metrics.bootstrap import bootstrap_intervals
from fer_models.networks.registry import model_named, settings_of
from fer_models.training.checkpoints import Checkpoints
from fer_models.training.samples import Samples, with_noisy_copies
from fer_models.training.trainer import fit

AnySettings = TypeVar("AnySettings", bound=TrainingSettings)


@dataclass(frozen=True)
class Faces:
    """What a workspace's trainings learn from, and are measured on."""

    train: Samples
    validation: Samples
    num_classes: int
    digests: tuple[str, ...]
    """Of the arrays: what was trained on other ones is another training."""


@dataclass(frozen=True)
class Trainings:
    """What S trainings that differ in their seed alone reach."""

    right: np.ndarray
    """Whether it predicts a face of `validation` rightly, bool (S, N)."""
    right_on_test: np.ndarray | None
    """The same of `test`, where that was predicted."""
    loss: float
    """On `validation`, in nats, the mean of them."""
    minutes: float
    """Of one of them, on average."""
    processor_minutes: float
    """Of one of them, on average, of all cores together."""


def read_faces(*, left_out: Collection[str] = ()) -> Faces:
    """The faces of the workspace in which the benchmark runs.

    Args:
        left_out: Paths of `train` faces that nothing is to be learned from.
    """
    folder = output("tfrecords", "tfrecords")
    train, validation = (_samples_of(folder, split, left_out) for split in (TRAIN, VALIDATION))
    arrays = [train.inputs, train.labels, train.weights, validation.inputs, validation.labels]
    arrays += [] if train.shares is None else [train.shares]
    digests = tuple(hashlib.sha256(array.tobytes()).hexdigest() for array in arrays)
    return Faces(train, validation, len(tfrecord.expressions(folder)), digests)


def read_test_faces() -> Samples:
    """Those of `test`, for what is to be published and no longer to be chosen."""
    return _samples_of(output("tfrecords", "tfrecords"), TEST)


def training_settings_of(model: str) -> TrainingSettings:
    """A model's settings in the workspace's `params.yaml`."""
    return settings_of(model)


def changed(settings: AnySettings, changes: Mapping[str, Any]) -> AnySettings:
    """The settings with changes, key by key within their sections, checked as `params.yaml` is."""
    values = settings.model_dump(mode="json")
    for name, value in changes.items():
        values[name] = values[name] | value if isinstance(value, Mapping) else value
    return type(settings).model_validate_json(json.dumps(values))


def trained(
    model: str,
    settings: TrainingSettings,
    faces: Faces,
    *,
    adapt: Callable[[keras.Model], None] | None = None,
) -> keras.Model:
    """Builds a model of the zoo, changes it by `adapt`, and trains it."""
    keras.backend.clear_session()
    make_repeatable(settings.seed, deterministic=settings.deterministic)
    with precision(dtype_policy(settings)):
        built = model_named(model).build(settings, faces.num_classes)
    if adapt is not None:
        adapt(built)
    with tempfile.TemporaryDirectory() as scratch:
        fit(
            *(built, with_noisy_copies(faces.train, settings), faces.validation),
            settings=settings,
            logs=Path(scratch),
            checkpoints=Checkpoints(Path(scratch)),
        )
    return built


def once(
    folder: Path,
    train: Callable[[], keras.Model],
    faces: Faces,
    *,
    settings: Sequence[Any],
    test: Samples | None = None,
    **names: Any,
) -> dict[str, Any]:
    """Trains a model and measures it, or reads what was measured of an equal training.

    Args:
        folder: Holds a file of each finished training.
        train: Trains the model.
        faces: What it learns from, and is measured on.
        settings: All that it depends on beside the faces, as JSON knows it.
        test: The faces of `test`, if those are to be predicted too.
        **names: What people call it by, such as `arm` and `seed`; kept in the file.

    Returns:
        `accuracy` and `loss` (nats) on `validation`, `seconds` and `processor_seconds` (of all cores
        together), a 1 for each face that is predicted rightly, else a 0: `right`, `right_on_test`; and
        of those of `test` the `probabilities_on_test`.
    """
    text = json.dumps([*settings, faces.digests, test is not None])
    file = folder / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.json"
    if not file.exists():
        words = ", ".join(f"{name} {value}" for name, value in names.items())
        print(words, file=sys.stderr, flush=True)
        found = {**names, **_measured(train, faces, test)}
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_write(file) as beside:
            beside.write_text(json.dumps(found), encoding="utf-8")
        print(f"{words}: {found['accuracy']:.4f}, {found['seconds']:.0f} s", file=sys.stderr)
    return read_json(file)


def mean_of(trainings: Sequence[Mapping[str, Any]]) -> Trainings:
    """Sums up trainings, as `once` returns them, that differ in their seed alone."""
    tested = [one["right_on_test"] for one in trainings if "right_on_test" in one]
    loss, seconds, processor_seconds = (
        float(np.mean([one[name] for one in trainings]))
        for name in ("loss", "seconds", "processor_seconds")
    )
    return Trainings(
        right=np.array([one["right"] for one in trainings], bool),
        right_on_test=np.array(tested, bool) if tested else None,
        loss=loss,
        minutes=seconds / 60,
        processor_minutes=processor_seconds / 60,
    )


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
    train: Callable[[], keras.Model], faces: Faces, test: Samples | None
) -> dict[str, Any]:
    started, processor_started = time.perf_counter(), time.process_time()
    model = train()
    seconds = time.perf_counter() - started
    processor_seconds = time.process_time() - processor_started
    labels = faces.validation.labels
    probabilities = model.predict(faces.validation.inputs, batch_size=512, verbose=0)
    of_label = probabilities[np.arange(len(labels)), labels]
    right = probabilities.argmax(axis=1) == labels
    found = {
        "accuracy": float(right.mean()),
        "loss": float(-np.log(np.maximum(of_label, 1e-7)).mean()),
        "seconds": seconds,
        "processor_seconds": processor_seconds,
        "right": right.astype(int).tolist(),
    }
    if test is not None:
        probabilities = model.predict(test.inputs, batch_size=512, verbose=0)
        right = probabilities.argmax(axis=1) == test.labels
        found["right_on_test"] = right.astype(int).tolist()
        found["probabilities_on_test"] = np.round(probabilities.astype(float), 6).tolist()
    return found


def _samples_of(folder: Path, split: str, left_out: Collection[str] = ()) -> Samples:
    examples = tfrecord.read_split(folder, split)
    taken = ~np.isin(examples.paths, list(left_out))
    soft = examples.shares if split == TRAIN else None
    shares = None if soft is None else soft[taken]
    return Samples(examples.faces[taken], examples.labels[taken], examples.weights[taken], shares)
