"""What running frozen members once saves: the head on their kept outputs, beside members in each epoch.

    python benchmarks/ensemble.py                 # all faces: two epochs with the members run in them
    python benchmarks/ensemble.py --faces 2000    # of `train`, and a tenth as many of `validation`

Run it in a workspace where `dvc repro ensemble` has run. Both ways train by the section `ensemble` of
`params.yaml`; epochs are timed after a first one, with `validation`. In the end it asks the whole model,
saved and loaded, and the head on kept outputs about 256 faces: they must say the same.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from fer_data.core import tfrecord
from fer_data.core.catalog import output
from fer_data.core.schema import TRAIN, VALIDATION
from fer_data.stages.settings import read_settings
from fer_models.core.input_pipeline import make_repeatable
from fer_models.core.prediction import predict, read_model
from fer_models.core.serialization import save_model
from fer_models.core.training_settings import TrainingSettings
from fer_models.stacking.ensemble import EnsembleSettings
from fer_models.stacking.members import build_head, join
from fer_models.training.checkpoints import Checkpoints
from fer_models.training.samples import Samples
from fer_models.training.trainer import fit

NUM_ASKED = 256
TOLERANCE = 1e-4  # the last bits depend on the size of the batches


def trained(
    model: keras.Model, train: Samples, validation: Samples, *, settings: TrainingSettings
) -> pd.DataFrame:
    """The history of a training whose logs and checkpoints go to a folder of its own."""
    with tempfile.TemporaryDirectory() as logs:
        checkpoints = Checkpoints(Path(logs))
        return fit(
            model, train, validation, settings=settings, logs=Path(logs), checkpoints=checkpoints
        )


def first(samples: Samples, number: int) -> Samples:
    """The first of the samples."""
    parts = (samples.inputs, samples.labels, samples.weights)
    return Samples(*(part[:number] for part in parts))


def main() -> None:
    """Trains both ways, and prints a table and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faces", type=int, default=sys.maxsize)
    flags = parser.parse_args()
    settings = read_settings(EnsembleSettings, "ensemble")
    folder = output("tfrecords", "tfrecords")
    expressions = tfrecord.expressions(folder)
    num_classes = len(expressions)
    members = {
        name: read_model(output(f"train@{name}", name) / "model.keras", expressions=expressions)
        for name in settings.members
    }
    faces: dict[str, Samples] = {}
    for split, number in ((TRAIN, flags.faces), (VALIDATION, flags.faces // 10)):
        examples = tfrecord.read_split(folder, split)
        faces[split] = first(Samples(examples.faces, examples.labels, examples.weights), number)
    counts = ", ".join(f"{len(samples.labels)} of {split}" for split, samples in faces.items())
    print(f"members {', '.join(members)}; faces: {counts}")

    started = time.perf_counter()
    outputs: dict[str, Samples] = {}
    for split, samples in faces.items():
        said = [
            predict(member, samples.inputs, num_classes=num_classes, batch_size=128)
            for member in members.values()
        ]
        inputs = np.concatenate(said, axis=1)
        outputs[split] = Samples(inputs, samples.labels, samples.weights)
    once = time.perf_counter() - started

    make_repeatable(settings.seed, deterministic=settings.deterministic)
    head = build_head(len(members), num_classes)
    history = trained(head, outputs[TRAIN], outputs[VALIDATION], settings=settings)
    of_the_head = float(history["seconds"].iloc[1:].median())
    whole = join(members, build_head(len(members), num_classes))
    two_epochs = settings.model_copy(update={"epochs": 2})
    with_members = trained(whole, faces[TRAIN], faces[VALIDATION], settings=two_epochs)
    of_all = float(with_members["seconds"].iloc[-1])

    epochs = len(history)
    ways = (epochs * of_all, once + float(history["seconds"].sum()))
    rows = (
        ("an epoch with the members run in it", of_all),
        ("an epoch of the head on kept outputs", of_the_head),
        ("the members, once", once),
        (f"{epochs} epochs with the members run in them", ways[0]),
        (f"the members once, and {epochs} epochs of the head", ways[1]),
    )
    for words, seconds in rows:
        print(f"{words:<46}{seconds:>10.2f} s")
    print(f"an epoch is {of_all / of_the_head:.0f} times as fast, ", end="")
    print(f"a whole training {ways[0] / ways[1]:.1f} times")

    asked = faces[VALIDATION].inputs[:NUM_ASKED]
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "model.keras"
        save_model(join(members, head), file, expressions=expressions)
        loaded = read_model(file, expressions=expressions)
        of_faces = predict(loaded, asked, num_classes=num_classes, batch_size=33)
    of_outputs = head.predict(outputs[VALIDATION].inputs[:NUM_ASKED], verbose=0)
    difference = float(np.abs(of_faces - of_outputs).max())
    print(f"on {len(asked)} faces, the saved model and the head differ by {difference:.1e} at most")
    if difference > TOLERANCE:
        sys.exit(f"error: expected at most {TOLERANCE}")


if __name__ == "__main__":
    main()
