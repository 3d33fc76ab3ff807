"""How well planted wrong labels are found, beside cleanlab's scores of the same probabilities.

    python benchmarks/mislabels.py --keep FOLDER              # four folds: as long as `crossval`
    python benchmarks/mislabels.py --keep FOLDER --folds 1 2  # a part of the faces and of the time
    python benchmarks/mislabels.py --keep FOLDER --networks 4 # four networks a fold, four times as long

Run it in a workspace where `dvc repro` has run. A tenth of the Training labels is flipped, half of them
at random, half as the networks of `crossval` confuse the classes; then the folds are scored again. The
archive's own wrong labels stay, and count as right ones: metrics are too low by what they hide. The
fold whose seed in `crossval` is that of the flips is left out: it would draw the flipped faces, and no
others, to calibrate on. Scored folds are kept in FOLDER, so that a second run only ranks.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from fer_data.core.catalog import output
from fer_data.core.face_store import read_pixels
from fer_data.core.schema import (
    LABEL,
    LABEL_QUALITY,
    NEAR_GROUP,
    ORIGINAL_SPLIT,
    PATH,
    PROBABILITIES,
    TRAINING,
)
from fer_data.core.tables import probabilities_of, read_table, write_table
from fer_data.label_quality.mislabels import MislabelsSettings, rank_labels
from fer_data.label_quality.outliers import outlier_scores
from fer_data.label_quality.scores import label_quality_scores
from fer_data.stages.settings import DataSettings, read_params, read_settings
from fer_data.synthetic.scoring import within_class_auroc
from fer_models.cross_validation.crossval import CrossvalSettings, predict_fold
from fer_models.training.checkpoints import fingerprint_of, open_checkpoints

FRACTION = 0.1
WAYS = ("at random", "by confusion")
CLEANLAB = ("self_confidence", "normalized_margin", "confidence_weighted_entropy")


def confusions(labels: np.ndarray, predictions: np.ndarray, num_classes: int) -> np.ndarray:
    """How often each class is taken for each other one, float (K, K), rows with the sum 1."""
    counts = np.zeros((num_classes, num_classes))
    np.add.at(counts, (labels, predictions), 1)
    np.fill_diagonal(counts, 0)
    return counts / counts.sum(axis=1, keepdims=True)


def plant(
    labels: np.ndarray, groups: np.ndarray, confused: np.ndarray, *, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Flips the labels of some groups of near-duplicates, each group as one.

    Returns:
        The labels, int (N,), and which way each was flipped, objects (N,): "" for most.
    """
    generator = np.random.default_rng(seed)
    num_classes = len(confused)
    at_random = (1 - np.eye(num_classes)) / (num_classes - 1)
    distinct, first = np.unique(groups, return_index=True)
    chosen = generator.permutation(len(distinct))[: round(FRACTION * len(distinct))]
    planted, ways = labels.copy(), np.full(len(labels), "", dtype=object)
    for number, place in enumerate(chosen):
        way = number % 2
        label = labels[first[place]]
        odds = (at_random, confused)[way][label]
        members = groups == distinct[place]
        planted[members], ways[members] = generator.choice(num_classes, p=odds), WAYS[way]
    return planted, ways


@dataclass(frozen=True)
class Planted:
    """Training faces, N of them, some with a flipped label."""

    rows: pd.DataFrame
    """The faces with their given labels, and the `row` of each in the face store."""
    labels: np.ndarray
    """int (N,): the given labels."""
    ways: np.ndarray
    """Objects (N,): which way a label was flipped, "" for most."""


def training_faces() -> pd.DataFrame:
    """The workspace's Training faces with their labels and the `row` of each in the face store."""
    manifest = read_table(output("ingest", "manifest.parquet"))
    faces = read_table(output("split", "assignments.parquet")).merge(
        manifest[[PATH, ORIGINAL_SPLIT, LABEL]], on=PATH
    )
    faces = faces.assign(row=np.arange(len(faces)))
    return faces[faces[ORIGINAL_SPLIT] == TRAINING].reset_index(drop=True)


def plant_into_archive(expressions: tuple[str, ...], *, seed: int) -> Planted:
    """The workspace's Training faces, after `plant`."""
    faces = training_faces()
    numbers = {name: number for number, name in enumerate(expressions)}
    known = read_table(output("mislabels", "label_quality.parquet"))
    predictions = probabilities_of(known).argmax(axis=1)
    confused = confusions(known[LABEL].map(numbers).to_numpy(), predictions, len(expressions))
    labels, ways = plant(
        faces[LABEL].map(numbers).to_numpy(), faces[NEAR_GROUP].to_numpy(), confused, seed=seed
    )
    names = np.array(expressions, dtype=object)
    given = faces.assign(**{LABEL: names[labels]})
    return Planted(given, labels, ways)


def score_folds(
    planted: Planted,
    pixels: np.ndarray,
    folds: list[int],
    *,
    settings: CrossvalSettings,
    keep: Path,
) -> pd.DataFrame:
    """The scores of some folds by networks that learned the flipped labels, from files if there."""
    expressions = read_settings(DataSettings, "data").expressions
    parts = []
    for fold in folds:
        file = keep / f"fold-{fold}-of-{settings.num_networks}.parquet"
        if not file.exists():
            recipe = fingerprint_of(settings.model_dump(mode="json"), planted.labels, files=[])
            with open_checkpoints(keep / f"fold-{fold}", recipe) as checkpoints:
                scored = predict_fold(
                    *(planted.rows, pixels[planted.rows["row"]]),
                    fold=fold,
                    settings=settings,
                    expressions=expressions,
                    checkpoints=checkpoints,
                )
                write_table(scored, file)
        parts.append(read_table(file))
    return pd.concat(parts)[[PATH, PROBABILITIES]]


def qualities(
    planted: Planted, pixels: np.ndarray, scored: pd.DataFrame, expressions: tuple[str, ...]
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Which faces were scored, bool (N,), and the label quality of those by each score."""
    ranking = MislabelsSettings(
        **{name: read_params()["mislabels"][name] for name in MislabelsSettings.model_fields}
    )
    faces = planted.rows.merge(scored, on=PATH, how="left")
    was_scored = faces[PROBABILITIES].notna().to_numpy()
    # Faces of other folds are duplicates, whose labels are given and whose scores are not.
    flat = np.full(len(expressions), 1 / len(expressions), np.float32)
    faces[PROBABILITIES] = faces[PROBABILITIES].where(was_scored, pd.Series([flat] * len(faces)))
    probabilities = probabilities_of(faces)
    outlier_score = outlier_scores(pixels[faces["row"]])
    ranked = rank_labels(
        faces, probabilities, outlier_score, expressions=expressions, settings=ranking
    )
    ours = faces[PATH].map(ranked.set_index(PATH)[LABEL_QUALITY]).to_numpy(np.float64)
    exact = probabilities[was_scored].astype(np.float64)
    exact /= exact.sum(axis=1, keepdims=True)
    labels = planted.labels[was_scored]
    accuracy = (exact.argmax(axis=1) == labels)[planted.ways[was_scored] == ""].mean()
    print(f"accuracy on {len(labels)} scored faces, the planted ones aside: {accuracy:.4f}")
    cleanlab = {
        f"cleanlab {one}": label_quality_scores(labels, exact, method=one) for one in CLEANLAB
    }
    return was_scored, {"ferflow": ours[was_scored], **cleanlab}


def main() -> None:
    """Plants, scores, ranks and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", type=Path, required=True)
    parser.add_argument("--folds", type=int, nargs="+", default=range(5))
    parser.add_argument("--networks", type=int, help="a fold (default: `crossval.num_networks`)")
    parser.add_argument("--seed", type=int, default=0)
    flags = parser.parse_args()
    expressions = read_settings(DataSettings, "data").expressions
    pixels = read_pixels(output("ingest", "pixels.npy"))
    planted = plant_into_archive(expressions, seed=flags.seed)
    settings = read_settings(CrossvalSettings, "crossval")
    settings = settings.model_copy(update={"num_networks": flags.networks or settings.num_networks})
    keep = flags.keep / f"planted-{flags.seed}"
    folds = [fold for fold in flags.folds if settings.seed + fold != flags.seed]
    scored = score_folds(planted, pixels, folds, settings=settings, keep=keep)
    was_scored, scores = qualities(planted, pixels, scored, expressions)
    # Near-duplicates got the same wrong label, so they would confirm each other: left out.
    is_alone = ~planted.rows[NEAR_GROUP].duplicated(keep=False).to_numpy()
    scores = {name: quality[is_alone[was_scored]] for name, quality in scores.items()}
    labels, ways = (column[was_scored & is_alone] for column in (planted.labels, planted.ways))
    num_planted = int((ways != "").sum())
    heads = ("within", "pooled", f"P@{num_planted // 2}", f"P@{num_planted}")
    print(f"{'score':<40}{'planted':<14}" + "".join(f"{head:>9}" for head in heads))
    for name, quality in scores.items():
        order = quality.argsort(kind="stable")
        tops = [(ways[order[:top]] != "").mean() for top in (num_planted // 2, num_planted)]
        for way in WAYS:
            kept = (ways == way) | (ways == "")
            wrong = ways[kept] == way
            within = within_class_auroc(wrong, quality[kept], labels[kept])
            pooled = roc_auc_score(wrong, -quality[kept])
            metrics = "".join(f"{metric:9.3f}" for metric in (within, pooled, *tops))
            print(f"{name:<40}{way:<14}{metrics}")


if __name__ == "__main__":
    main()
