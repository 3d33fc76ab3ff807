"""What limits the training of `compact` on a processor: its arithmetic beside the processor's.

    taskset -c 0 python benchmarks/training_speed.py      # two minutes of one core

Run it in a workspace with `params.yaml`; the faces are noise, since a step takes as long for any. All
times are the processor's: the milliseconds of cores together, so that other jobs hardly disturb them.
The first table has whole trainings by the recipe (an epoch of `fit`, with what moves the faces, and the
optimizer); the second each convolution of the network by itself: forwards, the gradient of what it is
given, the gradient of its filters.
"""

import argparse
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import keras
import numpy as np
import tensorflow as tf

from benchmarks.trainings import changed, training_settings_of
from fer_data.core.errors import UserError
from fer_data.core.schema import FACE_SIZE
from fer_data.stages import stage
from fer_models.augmentation.layers import NETWORK
from fer_models.core.devices import dtype_policy, precision
from fer_models.evaluation.latency import processor
from fer_models.networks.registry import model_named
from fer_models.training.checkpoints import Checkpoint, Checkpoints
from fer_models.training.samples import Samples
from fer_models.training.trainer import fit

MODEL = "compact"
NUM_CLASSES = 6
MATRIX = 4096
DTYPES = (tf.float32, tf.bfloat16)


@dataclass(frozen=True)
class Convolution:
    """A convolution of the network, on maps of a face."""

    size: int
    """Of the maps that it is given, in pixels."""
    stride: int
    kernel: tuple[int, int, int, int]
    """Height, width, channels given, filters."""

    @property
    def operations(self) -> int:
        """Multiplications and additions a face."""
        return 2 * int(np.prod(self.kernel)) * (self.size // self.stride) ** 2

    def __str__(self) -> str:
        """Such as `24x24, 32 to 32, 3x3`."""
        height, width, given, filters = self.kernel
        return f"{self.size}x{self.size}, {given} to {filters}, {height}x{width}"


def convolutions(network: keras.Model) -> Counter[Convolution]:
    """Those of a network for whole faces, each with how often it stands there."""
    whole = keras.models.clone_model(network, input_tensors=keras.Input((FACE_SIZE, FACE_SIZE, 1)))
    return Counter(
        Convolution(layer.input.shape[1], layer.strides[0], tuple(layer.kernel.shape))
        for layer in whole.layers
        if isinstance(layer, keras.layers.Conv2D)
    )


def seconds_of(compute: Callable[[], Any], *, calls: int = 10) -> float:
    """The processor's seconds of a call in a graph, after three others."""
    graph = tf.function(compute)
    for _ in range(3):
        graph()
    started = time.process_time()
    for _ in range(calls):
        graph()
    return (time.process_time() - started) / calls


def peak(dtype: tf.DType) -> float:
    """Operations a second of a core in the product of two large matrices."""
    matrix = tf.cast(tf.random.normal([MATRIX, MATRIX]), dtype)
    return 2 * MATRIX**3 / seconds_of(partial(tf.matmul, matrix, matrix), calls=2)


def speeds(one: Convolution, *, batch_size: int, dtype: tf.DType) -> Iterator[float]:
    """Operations a second: forwards, of the gradient of its input, of that of its filters."""
    given_shape = [batch_size, one.size, one.size, one.kernel[2]]
    side = one.size // one.stride
    given, kernel, gradient = (
        tf.cast(tf.random.normal(shape), dtype)
        for shape in (given_shape, one.kernel, [batch_size, side, side, one.kernel[3]])
    )
    same: dict[str, Any] = {"strides": [1, one.stride, one.stride, 1], "padding": "SAME"}
    back = {**same, "out_backprop": gradient}
    operations = tf.raw_ops
    for compute in (
        partial(operations.Conv2D, input=given, filter=kernel, **same),
        partial(operations.Conv2DBackpropInput, input_sizes=given_shape, filter=kernel, **back),
        partial(operations.Conv2DBackpropFilter, filter_sizes=one.kernel, input=given, **back),
    ):
        yield one.operations * batch_size / seconds_of(compute)


@dataclass(frozen=True, kw_only=True)
class EpochEnds(Checkpoints):
    """Keeps no checkpoint, but the processor's time at the end of each epoch."""

    seconds: list[float]

    def save(self, checkpoint: Checkpoint) -> None:
        """Keeps the time alone."""
        del checkpoint
        self.seconds.append(time.process_time())


def milliseconds_of_training(num_faces: int, **changes: Any) -> float:
    """Those of the processor for a face in the second epoch of the recipe with changes."""
    settings = changed(training_settings_of(MODEL), {"epochs": 2, **changes})
    keras.backend.clear_session()
    with precision(dtype_policy(settings)):
        model = model_named(MODEL).build(settings, NUM_CLASSES)
    random = np.random.default_rng(0)
    faces = random.integers(0, 256, (num_faces, FACE_SIZE, FACE_SIZE, 1), np.uint8)
    labels = random.integers(0, NUM_CLASSES, num_faces)
    samples = Samples(faces, labels, np.ones(num_faces, np.float32))
    few = Samples(faces[:1], labels[:1], np.ones(1, np.float32))
    ends: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        checkpoints = EpochEnds(folder=Path(folder), seconds=ends)
        fit(model, samples, few, settings=settings, logs=Path(folder), checkpoints=checkpoints)
    return 1000 * (ends[1] - ends[0]) / num_faces


def main() -> None:
    """Measures, and prints two tables in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faces", type=int, default=64 * 64, help="of an epoch")
    flags = parser.parse_args()
    settings = training_settings_of(MODEL)
    if dtype_policy(changed(settings, {"mixed_precision": "bfloat16"})) != "mixed_bfloat16":
        raise UserError(
            "bfloat16 is compared here, and this machine has no processor that computes in it "
            "(avx512_bf16, amx_bf16): run this on one that does"
        )
    network = model_named(MODEL).build(settings, NUM_CLASSES).get_layer(NETWORK)
    found = convolutions(network)
    forwards = sum(one.operations * times for one, times in found.items())
    peaks = {dtype: peak(dtype) for dtype in DTYPES}
    said = ", ".join(f"{speed / 1e9:.0f} GFLOP/s in {dtype.name}" for dtype, speed in peaks.items())
    print(f"{processor()}; a core multiplies matrices at {said}.")
    print(f"{forwards / 1e6:.0f} MFLOP a face forwards, batches of {settings.batch_size}.\n")
    print("| training by the recipe | ms a face | faces a second | GFLOP/s | of the core |")
    print("|---|---|---|---|---|")
    for words, dtype, is_fused in (
        ("float32, Keras's batch normalization", tf.float32, False),
        ("float32, in one operation", tf.float32, True),
        ("bfloat16, Keras's batch normalization", tf.bfloat16, False),
        ("bfloat16, in one operation", tf.bfloat16, True),
    ):
        wish = "bfloat16" if dtype == tf.bfloat16 else "off"
        layers_of_keras = mock.patch(
            "fer_models.training.augmented_model.fused", lambda network: network
        )
        with nullcontext() if is_fused else layers_of_keras:
            spent = milliseconds_of_training(flags.faces, mixed_precision=wish)
        speed = 3 * forwards / spent * 1000
        share = f"{100 * speed / peaks[dtype]:.0f} %"
        print(f"| {words} | {spent:.2f} | {1000 / spent:.0f} | {speed / 1e9:.0f} | {share} |")
    print("\nGFLOP/s in bfloat16\n")
    print("| convolution of maps | times | MFLOP | forwards | of its input | of its filters |")
    print("|---|---|---|---|---|---|")
    for one, times in found.items():
        measured = speeds(one, batch_size=settings.batch_size, dtype=tf.bfloat16)
        cells = (f"{speed / 1e9:.0f}" for speed in measured)
        print(f"| {one} | {times} | {one.operations / 1e6:.1f} | {' | '.join(cells)} |")


if __name__ == "__main__":
    stage.run(main)
