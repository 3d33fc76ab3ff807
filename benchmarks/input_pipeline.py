"""What the input pipeline costs: epochs from it beside epochs of plain arrays, by the same model.

    python benchmarks/input_pipeline.py                # `scratch`, the model that waits for input most
    python benchmarks/input_pipeline.py --epochs 5

Run it in a workspace where `dvc repro tfrecords` has run.
"""

import argparse
import time

import keras
import numpy as np

from fer_data.core import tfrecord
from fer_data.core.catalog import output
from fer_data.core.schema import TRAIN
from fer_data.stages.settings import read_settings
from fer_models.core.input_pipeline import make_repeatable, training_batches
from fer_models.networks.registry import model_named


class Clock(keras.callbacks.Callback):
    """Seconds of each epoch."""

    def __init__(self) -> None:
        """Starts without any."""
        super().__init__()
        self.seconds: list[float] = []

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Starts the clock."""
        del epoch, logs
        self._started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Stops it."""
        del epoch, logs
        self.seconds.append(time.perf_counter() - self._started)


def main() -> None:
    """Prints the seconds of both ways, their medians taken after a first epoch, and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="scratch")
    parser.add_argument("--epochs", type=int, default=4)
    flags = parser.parse_args()
    folder = output("tfrecords", "tfrecords")
    started = time.perf_counter()
    train = tfrecord.read_split(folder, TRAIN)
    seconds = time.perf_counter() - started
    print(f"reading {len(train.labels)} faces: {seconds:.2f} s, once a training")
    row = model_named(flags.model)
    settings = read_settings(row.settings_class, f"models.{flags.model}")
    medians = {}
    for way in ("arrays", "pipeline"):
        make_repeatable(settings.seed, deterministic=settings.deterministic)
        model = row.build(settings, len(tfrecord.expressions(folder)))
        model.compile(settings.optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
        clock = Clock()
        common = {"epochs": flags.epochs + 1, "callbacks": [clock], "verbose": 0}
        arrays = (train.faces, train.labels, train.weights)
        if way == "arrays":
            faces, labels, weights = arrays
            model.fit(
                faces, labels, sample_weight=weights, batch_size=settings.batch_size, **common
            )
        else:
            batches = training_batches(
                *arrays,
                batch_size=settings.batch_size,
                seed=settings.seed,
                epochs=range(flags.epochs + 1),
            )
            steps = -(-len(train.labels) // settings.batch_size)
            model.fit(batches, steps_per_epoch=steps, shuffle=False, **common)
        medians[way] = float(np.median(clock.seconds[1:]))
        words = " ".join(f"{one:.2f}" for one in clock.seconds)
        print(f"{way:<9} seconds an epoch: {words}; median {medians[way]:.2f}", flush=True)
    slower = 100 * (medians["pipeline"] / medians["arrays"] - 1)
    print(f"the pipeline is {abs(slower):.1f} % {'slower' if slower > 0 else 'faster'}")


if __name__ == "__main__":
    main()
