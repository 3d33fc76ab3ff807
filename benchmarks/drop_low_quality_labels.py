"""Measures what leaving out labels of low quality is worth to `compact`: `rebalance.min_label_quality`.

    python benchmarks/drop_low_quality_labels.py                # four trainings of 20 minutes of a core
    python benchmarks/drop_low_quality_labels.py --shares 0.05  # two of them

Run it in a workspace where `dvc repro tfrecords` has run with `rebalance.min_label_quality` at 0. Faces
of `train` are left out from the lowest label quality on; each training takes as many steps as the
one without them, in more epochs of fewer faces. All are compared on all faces of `validation`, however
their labels score, with an interval over them of the difference (paired bootstrap), never on `test`.

Each finished training is a file in the folder `--keep`, and is not repeated.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from benchmarks.compact import MODEL, SHORT, print_points, shortened, train_once
from benchmarks.trainings import Trainings, changed, mean_of, read_faces, training_settings_of
from fer_data.core.catalog import output
from fer_data.core.schema import LABEL_QUALITY, PATH, SPLIT, TRAIN
from fer_data.core.tables import read_table
from fer_data.stages import stage

SHARES = (0.02, 0.05, 0.1)


def lowest_quality(share: float) -> tuple[list[str], float]:
    """The paths of the share of `train` with the lowest quality, and the lowest quality of the rest."""
    assignments = read_table(output("split", "assignments.parquet"))
    qualities = read_table(output("mislabels", "label_quality.parquet"))[[PATH, LABEL_QUALITY]]
    train = assignments.loc[assignments[SPLIT] == TRAIN, [PATH]].merge(qualities, on=PATH)
    ranked = train.sort_values(LABEL_QUALITY, kind="stable", ignore_index=True)
    num_left_out = round(share * len(ranked))
    return ranked[PATH][:num_left_out].tolist(), float(ranked[LABEL_QUALITY][num_left_out])


def compare(shares: Sequence[float], seeds: Sequence[int], *, part: float, folder: Path) -> None:
    """Trains with all faces and without shares of them, and prints a table in Markdown."""
    settings = shortened(training_settings_of(MODEL), part)
    found: dict[str, Trainings] = {}
    num_faces = 0
    for share in (0.0, *shares):
        paths, quality = lowest_quality(share)
        faces = read_faces(left_out=paths)
        num_faces = len(faces.validation.labels)
        name = f"{share:.0%} left out, below {quality:.3f}" if share else "all faces"
        longer = {"epochs": round(settings.epochs / (1 - share))}
        variants = [changed(settings, {**longer, "seed": seed}) for seed in seeds]
        found[name] = mean_of(
            [train_once(name, variant, faces=faces, folder=folder) for variant in variants]
        )
    print(f"{num_faces:,} faces of `validation`, {settings.epochs} epochs, seeds {list(seeds)}\n")
    print_points(found)


def main() -> None:
    """Trains what is missing, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shares", type=float, nargs="+", default=list(SHARES))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--part", type=float, default=SHORT, help="of the recipe's epochs")
    parser.add_argument("--keep", type=Path, default=Path("reports/trainings"))
    flags = parser.parse_args()
    compare(flags.shares, flags.seeds, part=flags.part, folder=flags.keep)


if __name__ == "__main__":
    stage.run(main)
