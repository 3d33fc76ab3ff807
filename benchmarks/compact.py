"""Measures what each of the settings of `compact` is worth: trainings with one of them changed.

    python benchmarks/compact.py                            # fourteen trainings of 20 minutes of a core
    python benchmarks/compact.py --variants recipe float32  # two of them
    python benchmarks/compact.py --whole --seeds 0 1 2      # the recipe in full, on `test` as well
    python benchmarks/compact.py --whole --part 0.5         # in half of its epochs, so of its time

Run it in a workspace where `dvc repro tfrecords` has run. The variants are compared on `validation`
alone, after a part of the recipe's epochs (`--part`), with an interval over its faces of the difference
(paired bootstrap). With `--whole` nothing is chosen any more: the recipe as it stands, for all of its
epochs or a part, for each seed, and the mean of them.

Each finished training is a file in the folder `--keep`, and is not repeated: two commands with other
variants or seeds, each on a core of its own (`taskset -c 0` and `-c 1`), may share it.
"""

import argparse
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import product
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from benchmarks.trainings import (
    Faces,
    Trainings,
    changed,
    mean_of,
    once,
    over_faces,
    read_faces,
    read_test_faces,
    trained,
    training_settings_of,
)
from fer_data.stages import stage
from fer_models.core.training_settings import TrainingSettings
from fer_models.training.samples import Samples

MODEL = "compact"
SHORT = 0.3
"""The part of the recipe's epochs that a variant is trained for, if nothing else is asked for."""

UNMOVED = dict.fromkeys(
    ("rotation_degrees", "translation_fraction", "zoom_fraction", "random_erasing_fraction"), 0.0
)
VARIANTS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "recipe": {},
        "small faces first": {"small_faces": {"epochs": 50}},
        "nothing erased": {"augmentation": {"random_erasing_fraction": 0.0}},
        "mirrored faces alone": {"augmentation": UNMOVED},
        "no augmentation": {
            "augmentation": {**UNMOVED, "contrast_fraction": 0.0, "horizontal_flip": False}
        },
        "labels as they are": {"label_smoothing": 0.0},
        "no weight decay": {"weight_decay": 0.0},
        "no dropout": {"dropout": 0.0},
        "no regularizer": {
            "augmentation": {"random_erasing_fraction": 0.0},
            "label_smoothing": 0.0,
            "mixup_alpha": 0.0,
            "weight_decay": 0.0,
            "dropout": 0.0,
        },
        "plain faces": {"mixup_alpha": 0.0},
        "contrast as it is": {"augmentation": {"contrast_fraction": 0.0}},
        "AdamW": {"optimizer": "adam", "learning_rate": 0.003, "weight_decay": 0.02},
        "four narrower stages": {"filters": [32, 64, 128, 256]},
        "float32": {"mixed_precision": "off"},
    }
)


def shortened(settings: TrainingSettings, part: float) -> TrainingSettings:
    """The recipe with a part of its epochs, or several times as many, of small and whole faces alike."""
    small = round(part * settings.small_faces.epochs)
    changes = {"epochs": round(part * settings.epochs), "small_faces": {"epochs": small}}
    return changed(settings, changes)


def compare(
    names: Sequence[str], seeds: Sequence[int], *, part: float, faces: Faces, folder: Path
) -> None:
    """Trains variants for a part of the recipe's epochs, and prints a table in Markdown."""
    settings = training_settings_of(MODEL)
    chosen = ["recipe", *(name for name in names if name != "recipe")]
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in chosen}
    for seed, name in product(seeds, chosen):
        variant = shortened(changed(settings, {**VARIANTS[name], "seed": seed}), part)
        rows[name].append(train_once(name, variant, faces=faces, folder=folder))
    found = {name: mean_of(rows[name]) for name in chosen}
    epochs = shortened(settings, part).epochs
    print(
        f"{len(faces.validation.labels):,} faces of `validation`, {epochs} epochs, seeds {list(seeds)}\n"
    )
    print_points(found)


def print_points(found: Mapping[str, Trainings]) -> None:
    """Prints a table in Markdown of trainings, and what each gains over the first."""
    print("| trained with | accuracy | points | 95 % | loss | minutes | of the processor |")
    print("|---|---|---|---|---|---|---|")
    first = next(iter(found.values()))
    for name, one in found.items():
        points = interval = ""
        if one is not first:
            gained = (one.right.astype(float) - first.right).mean(axis=0)
            low, high = over_faces(gained)
            points = f"{100 * gained.mean():+.2f}"
            interval = f"{100 * low:+.2f} to {100 * high:+.2f}"
        cells = (name, f"{one.right.mean():.4f}", points, interval, f"{one.loss:.4f}")
        print(f"| {' | '.join(cells)} | {one.minutes:.0f} | {one.processor_minutes:.0f} |")


def publish(seeds: Sequence[int], *, part: float, faces: Faces, folder: Path) -> None:
    """Trains the recipe, or a part of it, and prints what it reaches with each seed."""
    settings, test = shortened(training_settings_of(MODEL), part), read_test_faces()
    rows = []
    for seed in seeds:
        of_seed, name = changed(settings, {"seed": seed}), f"{part:g} of the recipe"
        rows.append(train_once(name, of_seed, faces=faces, folder=folder, test=test))
    print(f"{settings.epochs} epochs, {len(test.labels):,} faces of `test`\n")
    print("| seed | `validation` | `test` | minutes | of the processor |")
    print("|---|---|---|---|---|")
    for name, of_name in [
        *zip(map(str, seeds), ([row] for row in rows), strict=True),
        ("mean", rows),
    ]:
        one = mean_of(of_name)
        assert one.right_on_test is not None  # `test` was given
        low, high = over_faces(one.right_on_test.mean(axis=0))
        print(
            f"| {name} | {one.right.mean():.4f} | {one.right_on_test.mean():.4f} ({low:.4f} to "
            f"{high:.4f}) | {one.minutes:.0f} | {one.processor_minutes:.0f} |"
        )
    if len(rows) > 1:
        print(f"\n{together(rows, test.labels)}")


def together(rows: Sequence[Mapping[str, Any]], labels: np.ndarray) -> str:
    """What the mean of several trainings' probabilities reaches on `test`, beside the best of them."""
    right = np.mean([row["probabilities_on_test"] for row in rows], axis=0).argmax(axis=1) == labels
    best = max(rows, key=lambda row: row["accuracy"])  # on `validation`
    low, high = over_faces(right.astype(float))
    gained = right.astype(float) - np.array(best["right_on_test"], float)
    least, most = over_faces(gained)
    return (
        f"The mean of their probabilities: {right.mean():.4f} ({low:.4f} to {high:.4f}) on `test`; over "
        f"seed {best['seed']}, the best on `validation`, {100 * gained.mean():+.2f} points "
        f"({100 * least:+.2f} to {100 * most:+.2f})."
    )


def train_once(
    name: str,
    settings: TrainingSettings,
    *,
    faces: Faces,
    folder: Path,
    test: Samples | None = None,
) -> dict[str, Any]:
    """Trains `compact` with these settings, unless that was done already, and measures it."""
    return once(
        folder,
        partial(trained, MODEL, settings, faces),
        faces,
        settings=[MODEL, settings.model_dump(mode="json")],
        test=test,
        arm=name,
        seed=settings.seed,
        epochs=settings.epochs,
    )


def main() -> None:
    """Trains what is missing, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--variants", nargs="+", choices=list(VARIANTS), default=list(VARIANTS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--whole", action="store_true", help="the recipe in full, on `test`, too")
    parser.add_argument("--part", type=float, help=f"of its epochs ({SHORT}; 1 with --whole)")
    parser.add_argument("--keep", type=Path, default=Path("reports/trainings"))
    flags = parser.parse_args()
    faces = read_faces()
    part = flags.part or (1.0 if flags.whole else SHORT)
    if flags.whole:
        publish(flags.seeds, part=part, faces=faces, folder=flags.keep)
    else:
        compare(flags.variants, flags.seeds, part=part, faces=faces, folder=flags.keep)


if __name__ == "__main__":
    stage.run(main)
