"""Describes the conditions that a training's last bits depend on: threads, precision, devices."""

import hashlib
import os
from collections.abc import Callable, Mapping

import keras
import tensorflow as tf

from fer_models.core import processors
from fer_models.core.devices import in_words

_THREADS = {
    "intra-op threads": (
        "TF_NUM_INTRAOP_THREADS",
        tf.config.threading.get_intra_op_parallelism_threads,
    ),
    "inter-op threads": (
        "TF_NUM_INTEROP_THREADS",
        tf.config.threading.get_inter_op_parallelism_threads,
    ),
}


def conditions(policy: str, *, num_devices: int) -> dict[str, str]:
    """Gathers what must be equal for equal trainings to give equal weights, bit for bit.

    Args:
        policy: The name of Keras' dtype policy.
        num_devices: How many devices share a batch.

    Returns:
        By name, in words: numbers of threads, precision, devices, oneDNN's setting, the processor, a
        hash of its features, and versions.
    """
    return {
        **{words: _threads(*where) for words, where in _THREADS.items()},
        "precision": policy,
        "devices": in_words() if num_devices == 1 else f"{num_devices} of {in_words()}",
        "TF_ENABLE_ONEDNN_OPTS": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "unset"),
        "processor": processors.name(),
        "processor features": _hash_of_features(),
        "TensorFlow": tf.__version__,
        "Keras": keras.__version__,
    }


def differences(before: Mapping[str, str] | None, now: Mapping[str, str]) -> str:
    """Describes the differences between two sets of conditions; empty if there are none.

    Args:
        before: Those of the checkpoint; None if it has none.
        now: Those of this process.
    """
    if before is None:
        return "the checkpoint does not say under which it was written"
    return "; ".join(
        f"{name} {before.get(name, 'unknown')} before, {now.get(name, 'unknown')} now"
        for name in {**before, **now}
        if before.get(name) != now.get(name)
    )


def _threads(variable: str, configured: Callable[[], int]) -> str:
    """The number that TensorFlow uses: as configured, else the variable's, else one a processor."""
    number = configured() or int(os.environ.get(variable) or 0)
    return str(number or processors.num_usable())


def _hash_of_features() -> str:
    """A hash of what the processor can do; `unknown` where the system does not say."""
    features = sorted(processors.features())
    if not features:
        return "unknown"
    return hashlib.sha256(" ".join(features).encode()).hexdigest()[:12]
