"""Reruns the paper's claims about its network from scratch: what each change costs, over several seeds.

    python benchmarks/paper_claims.py                              # 39 trainings: hours on two cores
    python benchmarks/paper_claims.py --claims optimizer --seeds 0 # two of them
    python benchmarks/paper_claims.py --epochs 2                   # whether it runs

A processor of few cores does best with one training a core: a command for some of the seeds on each
(`taskset -c 0` and `-c 1`), and one for all of them in the end, which gives the table.

Run it in a workspace where `dvc repro tfrecords` has run. Every training takes the recipe
`models.scratch`, with one change, and keeps its last epoch; all are measured on `validation`, never on
`test`. Each finished training is a file in the folder `--keep`, and is not repeated unless the data or
the settings changed. In the end it prints a table in Markdown: what each change costs, with 95 %
intervals over the seeds (Student's t of the differences, seed by seed) and over the faces (paired
bootstrap of the seeds' mean). A claim holds where neither interval reaches 0.
"""

import argparse
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import keras
import numpy as np
from scipy import stats

from benchmarks.trainings import (
    Trainings,
    changed,
    mean_of,
    once,
    over_faces,
    read_faces,
    trained,
    training_settings_of,
)
from fer_data.stages import stage

MODEL = "scratch"


@dataclass(frozen=True)
class Arm:
    """A training of the recipe with one change: of its settings, or an L1 of its dense layer."""

    name: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    l1: float = 0.0


@dataclass(frozen=True)
class Claim:
    """That the paper's recipe beats each of some changes."""

    words: str
    arms: tuple[Arm, ...]


MOVES = {
    "mirrored": {"horizontal_flip": True},
    "turned by 10 degrees": {"rotation_degrees": 10.0},
    "shifted by a tenth": {"translation_fraction": 0.1},
    "zoomed by a tenth": {"zoom_fraction": 0.1},
    "contrast changed by a tenth": {"contrast_fraction": 0.1},
}
ALL_MOVES = {name: limit for move in MOVES.values() for name, limit in move.items()}
COPIES = {"salt_and_pepper_fraction": 0.3, "salt_and_pepper_copies": True}
PAPER = Arm("the paper's recipe")
CLAIMS = {
    "optimizer": Claim("RMSprop beats Adam", (Arm("Adam", {"optimizer": "adam"}),)),
    "augmentation": Claim(
        "any augmentation hurts",
        tuple(
            Arm(words, {"augmentation": move})
            for words, move in {**MOVES, "all of these": ALL_MOVES}.items()
        ),
    ),
    "elastic_net": Claim(
        "an elastic net costs 3 to 4 %",
        tuple(Arm(f"L1 of {l1} beside L2", l1=l1) for l1 in (0.0001, 0.001)),
    ),
    "noise": Claim(
        "copies with salt and pepper hurt",
        (Arm("copies appended", {"augmentation": COPIES}),),
    ),
    "layers": Claim(
        "eleven layers beat fewer and more",
        (
            Arm("nine layers", {"filters": [16, 32]}),
            Arm("thirteen layers", {"filters": [16, 32, 64, 128]}),
        ),
    ),
}


def with_l1(l1: float) -> Callable[[keras.Model], None]:
    """What adds an L1 to the dense layer of a model, whose L2 stays."""

    def adapt(model: keras.Model) -> None:
        kernel = model.layers[-2].kernel
        kernel.regularizer = keras.regularizers.L1L2(l1=l1, l2=kernel.regularizer.l2)

    return adapt


def over_seeds(differences: np.ndarray) -> tuple[float, float]:
    """The 95 % interval of the mean of S seeds' differences, by Student's t; endless for one."""
    if len(differences) < 2:
        return -math.inf, math.inf
    half = stats.sem(differences) * stats.t.ppf(0.975, len(differences) - 1)
    return float(differences.mean() - half), float(differences.mean() + half)


def row_of(words: str, of_arm: Trainings, of_paper: Trainings) -> str:
    """A row in Markdown: what a change costs, and whether that is more than chance."""
    differences = of_arm.right.astype(np.float64) - of_paper.right
    intervals = (over_seeds(differences.mean(axis=1)), over_faces(differences.mean(axis=0)))
    if all(high < 0 for _, high in intervals):
        result = "holds"
    elif all(low > 0 for low, _ in intervals):
        result = "the opposite holds"
    else:
        result = "can be chance"
    ranges = (f"{100 * low:+.2f} to {100 * high:+.2f}" for low, high in intervals)
    cells = (words, f"{of_arm.right.mean():.4f}", f"{100 * differences.mean():+.2f}", *ranges)
    return f"| {' | '.join(cells)} | {result} | {of_arm.processor_minutes:.1f} |"


def main() -> None:
    """Trains what is missing, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--claims", nargs="+", choices=list(CLAIMS), default=list(CLAIMS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, help="in place of the recipe's")
    parser.add_argument("--keep", type=Path, default=Path("reports/trainings"))
    flags = parser.parse_args()
    faces, settings = read_faces(), training_settings_of(MODEL)
    arms = [PAPER, *(arm for claim in flags.claims for arm in CLAIMS[claim].arms)]
    rows: dict[str, list[dict[str, Any]]] = {arm.name: [] for arm in arms}
    # Seed by seed, so that the table of a run that is not finished yet has all changes.
    for seed, arm in product(flags.seeds, arms):
        epochs = flags.epochs or settings.epochs
        of_all = {"seed": seed, "epochs": epochs, "restore_best_weights": False}
        with_change = changed(settings, {**arm.changes, **of_all})
        train = partial(
            trained, MODEL, with_change, faces, adapt=with_l1(arm.l1) if arm.l1 else None
        )
        key_settings = [with_change.model_dump(mode="json"), arm.l1]
        names = {"arm": arm.name, "seed": seed, "epochs": epochs}
        rows[arm.name].append(once(flags.keep, train, faces, settings=key_settings, **names))

    num_faces = len(faces.validation.labels)
    found = {name: mean_of(of_name) for name, of_name in rows.items()}
    of_paper = found[PAPER.name]
    seeds, epochs = ", ".join(map(str, flags.seeds)), flags.epochs or settings.epochs
    print(f"{num_faces:,} faces of `validation`, {epochs} epochs, means of the seeds {seeds}.")
    print("Minutes are one core's.\n")
    print("| claim | trained with | accuracy | points | over seeds | over faces | | minutes |")
    print("|---|---|---|---|---|---|---|---|")
    accuracy, minutes = of_paper.right.mean(), of_paper.processor_minutes
    print(f"| | {PAPER.name} | {accuracy:.4f} | | | | | {minutes:.1f} |")
    for claim in (CLAIMS[name] for name in flags.claims):
        for arm in claim.arms:
            print(row_of(f"{claim.words} | {arm.name}", found[arm.name], of_paper))


if __name__ == "__main__":
    stage.run(main)
