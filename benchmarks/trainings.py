"""Trainings that benchmarks compare: of one recipe with changes, on the faces of a workspace."""

import hashlib
import json
import tempfile
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from fer_data.core import tfrecord
from fer_data.core.catalog import output
from fer_data.core.schema import TEST, TRAIN, VALIDATION
from fer_data.stages.settings import read_settings
from fer_models.core.devices import dtype_policy, precision
from fer_models.core.input_pipeline import make_repeatable
from fer_models.core.training_settings import TrainingSettings
from fer_models.networks.registry import model_named
from fer_models.training.checkpoints import Checkpoints
from fer_models.training.samples import Samples, with_noisy_copies
from fer_models.training.trainer import fit


@dataclass(frozen=True)
class Faces:
    """What a workspace's trainings learn from, and are measured on."""

    train: Samples
    validation: Samples
    num_classes: int
    digests: tuple[str, ...]
    """Of the arrays: what was trained on other ones is another training."""


def read_faces(*, left_out: Collection[str] = ()) -> Faces:
    """The faces of the workspace in which the benchmark runs.

    Args:
        left_out: Paths of `train` faces that nothing is to be learned from.
    """
    folder = output("tfrecords", "tfrecords")
    train, validation = (_samples_of(folder, split, left_out) for split in (TRAIN, VALIDATION))
    arrays = (train.inputs, train.labels, train.weights, validation.inputs, validation.labels)
    digests = tuple(hashlib.sha256(array.tobytes()).hexdigest() for array in arrays)
    return Faces(train, validation, len(tfrecord.expressions(folder)), digests)


def read_test_faces() -> Samples:
    """Those of `test`, for what is to be published and no longer to be chosen."""
    return _samples_of(output("tfrecords", "tfrecords"), TEST)


def training_settings_of(model: str) -> TrainingSettings:
    """A model's recipe in the workspace's `params.yaml`."""
    return read_settings(model_named(model).settings_class, f"models.{model}")


def changed(settings: TrainingSettings, changes: Mapping[str, Any]) -> TrainingSettings:
    """The recipe with changes, key by key within its sections, checked as `params.yaml` is."""
    values = settings.model_dump(mode="json")
    for name, value in changes.items():
        values[name] = values[name] | value if isinstance(value, Mapping) else value
    return type(settings).model_validate_json(json.dumps(values))


def trained(
    model: str,
    settings: TrainingSettings,
    faces: Faces,
    checkpoints: Checkpoints,
    *,
    adapt: Callable[[keras.Model], None] | None = None,
) -> keras.Model:
    """Builds a model of the zoo, changes it by `adapt`, and trains it from its newest checkpoint on."""
    keras.backend.clear_session()
    make_repeatable(settings.seed, deterministic=settings.deterministic)
    with precision(dtype_policy(settings)):
        built = model_named(model).build(settings, faces.num_classes)
    if adapt is not None:
        adapt(built)
    with tempfile.TemporaryDirectory() as logs:
        fit(
            *(built, with_noisy_copies(faces.train, settings), faces.validation),
            settings=settings,
            logs=Path(logs),
            checkpoints=checkpoints,
        )
    return built


def _samples_of(folder: Path, split: str, left_out: Collection[str] = ()) -> Samples:
    examples = tfrecord.read_split(folder, split)
    taken = ~np.isin(examples.paths, list(left_out))
    return Samples(examples.faces[taken], examples.labels[taken], examples.weights[taken])
