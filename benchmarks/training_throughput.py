"""Faces a second that a network of the zoo learns from, by batch size.

    python benchmarks/training_throughput.py compact off 32 64 128     # XLA off
    python benchmarks/training_throughput.py compact on 1024

Run it in a workspace with `params.yaml`; the faces are noise. Steps of the whole training are timed
(augmentation, both passes, the optimizer), after some that compile. Its last line has the figures.
"""

import argparse
import time

import keras
import numpy as np
import tensorflow as tf

from benchmarks.trainings import changed, training_settings_of
from fer_data.core.schema import FACE_SIZE
from fer_models.core.devices import dtype_policy, precision
from fer_models.networks.registry import ZOO, model_named
from fer_models.training.augmented_model import augmented
from fer_models.training.optimization import build_loss, build_optimizer, loss_targets
from fer_models.training.samples import Samples

NUM_CLASSES = 6
WARM_STEPS = 3
SECONDS = 3.0
"""How long steps are timed, at least one."""


def faces_a_second(model_name: str, *, xla: str, batch_size: int) -> float:
    """Trains on one batch again and again, for `SECONDS`.

    Raises:
        tf.errors.ResourceExhaustedError: The batch does not fit into the device's memory.
    """
    settings = changed(
        training_settings_of(model_name),
        {"batch_size": batch_size, "xla": xla, "deterministic": False, "weights": "none"}
        if "weights" in ZOO[model_name].settings_class.model_fields
        else {"batch_size": batch_size, "xla": xla, "deterministic": False},
    )
    keras.backend.clear_session()
    with precision(dtype_policy(settings)):
        network = model_named(model_name).build(settings, NUM_CLASSES)
        model = augmented(network, settings)
    model.compile(
        optimizer=build_optimizer(settings, 1_000_000, policy=network.dtype_policy.name),
        loss=build_loss(settings),
        jit_compile=xla == "on",
    )
    generator = np.random.default_rng(0)
    faces = generator.integers(0, 256, (batch_size, FACE_SIZE, FACE_SIZE, 1), np.uint8)
    labels = generator.integers(0, NUM_CLASSES, batch_size)
    samples = Samples(faces, labels, np.ones(batch_size, np.float32))
    targets = loss_targets(samples, settings, num_classes=NUM_CLASSES)
    batch = tf.data.Dataset.from_tensors((faces, targets)).repeat()
    model.fit(batch, steps_per_epoch=WARM_STEPS, verbose=0)
    steps, started = 0, time.perf_counter()
    while not steps or time.perf_counter() - started < SECONDS:
        model.fit(batch, steps_per_epoch=WARM_STEPS, verbose=0)  # its loss is read, so it has ended
        steps += WARM_STEPS
    return steps * batch_size / (time.perf_counter() - started)


def main() -> None:
    """Prints the batch sizes with their faces a second; `-` where the memory does not suffice."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", choices=tuple(ZOO))
    parser.add_argument("xla", choices=("on", "off"))
    parser.add_argument("batch_sizes", type=int, nargs="+")
    flags = parser.parse_args()
    cells: list[str] = []
    for batch_size in flags.batch_sizes:
        try:
            speed = faces_a_second(flags.model, xla=flags.xla, batch_size=batch_size)
        except tf.errors.ResourceExhaustedError:
            cells.append(f"batch {batch_size} -")
        else:
            cells.append(f"batch {batch_size} {speed:,.0f}")
    print(", ".join(cells))


if __name__ == "__main__":
    main()
