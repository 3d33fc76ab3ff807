"""Measures what a model costs on this machine: parameters, bytes, milliseconds a face."""

import os
import time
from pathlib import Path
from statistics import median
from typing import Any

import keras
import numpy as np

from fer_models.core import processors

_WARM_UP = 3  # the first calls trace the graph
_MOST_CALLS = 50
_MOST_SECONDS = 5.0


def processor() -> str:
    """The processor's name and number of threads."""
    return f"{processors.name()}, {os.cpu_count()} threads"


def milliseconds_alone(model: keras.Model, faces: np.ndarray) -> float:
    """Measures the median time of a prediction for one face, in milliseconds.

    Args:
        model: From uint8 faces (N, 48, 48, 1) to probabilities (N, K).
        faces: uint8 (N, 48, 48, 1): as many as fit into five seconds are predicted, 50 at most.
    """
    for _ in range(_WARM_UP):
        model.predict_on_batch(faces[:1])
    spent: list[float] = []
    while not spent or (len(spent) < _MOST_CALLS and sum(spent) < _MOST_SECONDS):
        place = len(spent) % len(faces)
        started = time.perf_counter()
        model.predict_on_batch(faces[place : place + 1])
        spent.append(time.perf_counter() - started)
    return 1000 * median(spent)


def cost_of(
    model: keras.Model, file: Path, faces: np.ndarray, *, batch_size: int, seconds: float
) -> dict[str, Any]:
    """Gathers what a model costs.

    Args:
        model: The model.
        file: Its file.
        faces: uint8 (N, 48, 48, 1).
        batch_size: The batch size with which all of them were predicted.
        seconds: How long that took.

    Returns:
        `parameters`, `file_bytes`, the `processor`, `milliseconds_alone` a face, and
        `milliseconds_in_batch` a face in batches of `batch_size`. Times differ from run to run.
    """
    return {
        "parameters": model.count_params(),
        "file_bytes": file.stat().st_size,
        "processor": processor(),
        "milliseconds_alone": milliseconds_alone(model, faces),
        "milliseconds_in_batch": 1000 * seconds / len(faces),
        "batch_size": batch_size,
    }
