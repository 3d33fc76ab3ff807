"""Chooses devices and precision of a training."""

from collections.abc import Iterator
from contextlib import contextmanager

import keras
import tensorflow as tf

from fer_models.core import processors
from fer_models.core.training_settings import TrainingSettings

_TENSOR_CORES = (7, 0)  # the compute capability of Volta, the first with them
_BFLOAT16_CORES = (8, 0)  # of Ampere, the first whose tensor cores take it
_BFLOAT16_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}  # Linux's names; the last is Arm's


def strategy(kind: str = "GPU") -> tf.distribute.Strategy:
    """Returns the strategy that splits batches over all devices of a kind; the default for one.

    Args:
        kind: `GPU`, or `CPU` to try it with logical devices.
    """
    devices = tf.config.list_logical_devices(kind)
    if len(devices) < 2:
        return tf.distribute.get_strategy()
    return tf.distribute.MirroredStrategy([device.name for device in devices])


def dtype_policy(settings: TrainingSettings) -> str:
    """Chooses Keras' dtype policy: `mixed_float16`, `mixed_bfloat16` or `float32`."""
    gpus = [details.get("compute_capability", (0, 0)) for details in _gpus()]
    wish = settings.mixed_precision
    if wish != "off" and gpus and min(gpus) >= _BFLOAT16_CORES:
        return "mixed_bfloat16"  # of the range of float32: no loss needs scaling
    if wish == "bfloat16" and not gpus and not _BFLOAT16_FLAGS.isdisjoint(processors.features()):
        return "mixed_bfloat16"
    if wish == "on" or (wish != "off" and gpus and min(gpus) >= _TENSOR_CORES):
        return "mixed_float16"
    return "float32"


@contextmanager
def precision(policy: str) -> Iterator[None]:
    """Sets the dtype policy of layers that are built inside of the context."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def in_words() -> str:
    """Describes the devices for a log: `2 GPUs (NVIDIA H100)`, or `CPU`."""
    names = [details.get("device_name", "unknown") for details in _gpus()]
    if not names:
        return "CPU"
    return f"{len(names)} GPU{'s' * (len(names) > 1)} ({', '.join(sorted(set(names)))})"


def _gpus() -> list[dict]:
    return [
        tf.config.experimental.get_device_details(gpu)
        for gpu in tf.config.list_physical_devices("GPU")
    ]
