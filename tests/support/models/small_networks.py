"""The zoo's models as small as they can be built, with the settings of `params.yaml` otherwise."""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np

from fer_data.stages.defaults import merged
from fer_data.stages.settings import read_params
from fer_models.core.training_settings import TrainingSettings
from fer_models.networks.registry import ZOO, Base

PARAMS = Path(__file__).parents[3] / "params.yaml"
FACES = np.random.default_rng(0).integers(0, 256, (2, 48, 48, 1), np.uint8)
SMALLEST = {name: row.base.min_size for name, row in ZOO.items() if row.base}
"""The smallest input of each fine-tune, in pixels."""


def settings_of(name: str, **changes: Any) -> TrainingSettings:
    """The section `models.NAME`, changed; a fine-tune is small and starts from nothing unless told."""
    settings_class = ZOO[name].settings_class
    values = merged(read_params(PARAMS), f"models.{name}", defaults=settings_class.DEFAULTS)
    if name in SMALLEST:
        values |= {"weights": "none", "input_size": SMALLEST[name], "dense_units": 8}
    values |= changes
    return settings_class.model_validate_json(json.dumps(values))


def build(name: str, *, seed: int = 0, **changes: Any) -> keras.Model:
    """The model for six classes."""
    keras.utils.set_random_seed(seed)
    return ZOO[name].build(settings_of(name, **changes), 6)


def random_base(name: str, *, seed: int, **changes: Any) -> keras.Model:
    """The base of a fine-tune by itself, at random, as if it had been trained somewhere.

    Its batch norms have seen faces: else nothing of a face would arrive at the end of the network.
    """
    base = ZOO[name].base
    assert base is not None
    keras.utils.set_random_seed(seed)
    size = SMALLEST[name]
    options = {"input_shape": (size, size, 3), **changes}
    network = getattr(keras.applications, base.application)(
        weights=None, include_top=False, **options
    )
    return seen_faces(network, base, seed=seed)


def seen_faces(network: keras.Model, base: Base, *, seed: int = 0) -> keras.Model:
    """A base whose batch norms are made those of noise, as if of faces."""
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    size = network.input_shape[1]
    gray = np.random.default_rng(seed).integers(0, 256, (32, size, size, 1)).repeat(3, axis=-1)
    network(gray - 110.0 if base.preprocessing == "caffe" else gray / 127.5 - 1, training=True)
    return network
