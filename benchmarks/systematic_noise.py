"""How well labels are ranked where most faces of a class belong to others, before and after decisions.

    python benchmarks/systematic_noise.py --keep FOLDER                # all folds: as long as `crossval`
    python benchmarks/systematic_noise.py --keep FOLDER --folds 1 2    # a part of the faces and the time
    python benchmarks/systematic_noise.py --keep FOLDER --recipe plain # the fold models of before

Run it in a workspace of FER2013 where `dvc repro split` has run. In FER2013 the crowd rejects most
labels `fear`: here a third of the faces of three other classes are labeled `fear` on top, so that about
half of its labels are wrong in one way, and one label in twenty is flipped at random. The folds learn
from these labels; their scores are kept in FOLDER, so that a second run only ranks. Then 500 faces are
decided by the key, a part of them drawn at random (the audit), the rest from the top of the queue, and
it is measured what the queue has learned: on all faces, the decided ones by what others teach, and in
its next 500 places. The archive's own wrong labels stay, and count as right ones: all numbers are too
low by what they hide.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.mislabels import Planted, score_folds, training_faces
from benchmarks.trainings import changed
from fer_data.core.catalog import output
from fer_data.core.face_store import read_pixels
from fer_data.core.schema import (
    DECISION,
    GIVEN_LABEL,
    LABEL,
    LABEL_QUALITY,
    NEAR_GROUP,
    PATH,
    PIXEL_HASH,
    SPLIT,
)
from fer_data.core.tables import probabilities_of
from fer_data.label_quality.mislabels import MislabelsSettings, rank_labels
from fer_data.label_quality.outliers import outlier_scores
from fer_data.review_queue.audit import draw_audit
from fer_data.review_queue.decided_faces import decided_faces
from fer_data.review_queue.learned_ranking import learn_ranking
from fer_data.review_queue.review_queue import review_queue
from fer_data.stages.settings import DataSettings, read_settings
from fer_data.synthetic.planted_errors import TRUE_LABEL
from fer_data.synthetic.scoring import within_class_auroc
from fer_models.cross_validation.crossval import CrossvalSettings

TAKEN_FOR = "fear"
CONFUSED = ("angry", "sad", "surprise")
PART = 1 / 3
AT_RANDOM = 0.05
AUDIT_PARTS = (0.0, 0.2, 0.5, 1.0)
RECIPES: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "settings": {},
        "plain": {
            "epochs": 18,
            "small_faces": {"size": 32, "epochs": 12},
            "label_smoothing": 0.1,
            "weight_decay": 0.02,
            "mixup_alpha": 0.0,
            "mixed_precision": "auto",
        },
    }
)
"""Those of `params.yaml`, and what the fold models had before mixup."""


def plant(faces: pd.DataFrame, expressions: tuple[str, ...], *, seed: int) -> Planted:
    """Plants wrong labels, equal ones on equally labeled near-duplicates."""
    generator = np.random.default_rng(seed)
    groups, group_of = np.unique(faces[NEAR_GROUP], return_inverse=True)
    chances = generator.random((2, len(groups)))[:, group_of]
    others = generator.integers(1, len(expressions), len(groups))[group_of]
    numbers = {name: number for number, name in enumerate(expressions)}
    labels = faces[LABEL].map(numbers).to_numpy(int)
    confused = np.isin(labels, [numbers[name] for name in CONFUSED]) & (chances[0] < PART)
    flipped = ~confused & (chances[1] < AT_RANDOM)
    planted = np.where(flipped, (labels + others) % len(expressions), labels)
    planted = np.where(confused, numbers[TAKEN_FOR], planted)
    ways = np.select([confused, flipped], ["by confusion", "at random"], "").astype(object)
    given = faces.assign(**{LABEL: np.array(expressions, dtype=object)[planted]})
    return Planted(given, planted, ways)


def ranked_faces(planted: Planted, scores: pd.DataFrame, pixels: np.ndarray) -> pd.DataFrame:
    """The scored faces as `mislabels` ranks them, with the true label of each."""
    rows = planted.rows.merge(scores, on=PATH)
    ranked = rank_labels(
        *(rows, probabilities_of(rows), outlier_scores(pixels, rows["row"].to_numpy())),
        expressions=read_settings(DataSettings, "data").expressions,
        settings=read_settings(MislabelsSettings, "mislabels"),
    )
    return ranked.merge(rows[[PATH, SPLIT, NEAR_GROUP, TRUE_LABEL]], on=PATH)


def wrong(faces: pd.DataFrame) -> np.ndarray:
    """Which labels are not the true ones, bool (N,)."""
    return (faces[LABEL] != faces[TRUE_LABEL]).to_numpy()


def aurocs(faces: pd.DataFrame) -> tuple[float, float]:
    """AUROC within classes, the mean of all, and that of the class which holds most wrong labels."""
    labels, quality = faces[LABEL].to_numpy(object), faces[LABEL_QUALITY].to_numpy(float)
    of_class = labels == TAKEN_FOR
    return (
        within_class_auroc(wrong(faces), quality, labels),
        within_class_auroc(wrong(faces)[of_class], quality[of_class], labels[of_class]),
    )


def taught(
    faces: pd.DataFrame, expressions: tuple[str, ...], *, number: int, part: float, seed: int
) -> str:
    """What a number of decisions by the key teaches, as a row in Markdown.

    Args:
        faces: N ranked faces with their true labels.
        expressions: The classes, in the order of the probabilities.
        number: How many decisions.
        part: The part of them that is drawn at random.
        seed: Of the draw.
    """
    none = pd.DataFrame({PIXEL_HASH: [], GIVEN_LABEL: [], DECISION: []}, dtype=str)
    audit = draw_audit(faces, none[PIXEL_HASH], num_faces=round(part * number), seed=seed)
    queue = review_queue(faces, none, budget=len(faces), balance="none")
    queue = queue[~queue[PIXEL_HASH].isin(audit[PIXEL_HASH])].drop_duplicates(PIXEL_HASH)
    chosen = pd.concat([audit[[PIXEL_HASH]], queue[[PIXEL_HASH]].head(number - len(audit))])
    first = faces[faces[PIXEL_HASH].isin(chosen[PIXEL_HASH])].drop_duplicates(PIXEL_HASH)
    decisions = first.rename(columns={LABEL: GIVEN_LABEL, TRUE_LABEL: DECISION})
    decisions = decisions[[PIXEL_HASH, GIVEN_LABEL, DECISION]]
    learned = learn_ranking(
        faces.drop(columns=TRUE_LABEL),
        decided_faces(faces, decisions, audit),
        expressions=expressions,
        min_decisions=number if len(audit) >= number / 10 else 0,
    )
    cells = [f"{part:.0%}", f"{wrong(first).sum()}", learned.summary["ranking"]]
    truth = faces[[PATH, TRUE_LABEL]]
    following = review_queue(learned.ranked, decisions, budget=number, balance="none")
    cells += [f"{one:.3f}" for one in aurocs(learned.ranked.merge(truth, on=PATH))]
    cells.append(f"{wrong(following.merge(truth, on=PATH)).mean():.1%}")
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Plants, scores, ranks, decides, learns, and prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", type=Path, required=True)
    parser.add_argument("--folds", type=int, nargs="+", default=list(range(5)))
    parser.add_argument("--recipe", choices=list(RECIPES), default="settings")
    parser.add_argument("--decisions", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    flags = parser.parse_args()
    expressions = read_settings(DataSettings, "data").expressions
    pixels = read_pixels(output("ingest", "pixels.npy"))
    faces = training_faces()
    known = faces.assign(**{TRUE_LABEL: faces[LABEL]})
    planted = plant(known, expressions, seed=flags.seed)
    settings = changed(read_settings(CrossvalSettings, "crossval"), RECIPES[flags.recipe])
    keep = flags.keep / f"{flags.recipe}-{flags.seed}"
    scores = score_folds(planted, pixels, flags.folds, settings=settings, keep=keep)
    faces = ranked_faces(planted, scores, pixels)
    # Equal labels of near-duplicates, planted together, would confirm each other: one face a group.
    faces = faces.drop_duplicates(NEAR_GROUP).reset_index(drop=True)
    bad = wrong(faces)
    of_class = (faces[LABEL] == TAKEN_FOR).to_numpy()
    within, in_class = aurocs(faces)
    print(
        f"{len(faces):,} faces, {bad.mean():.1%} of the labels wrong, {bad[of_class].mean():.1%} of "
        f"`{TAKEN_FOR}`; without decisions: within classes {within:.3f}, in `{TAKEN_FOR}` "
        f"{in_class:.3f}, in the first {flags.decisions} places "
        f"{bad[: flags.decisions].mean():.1%} wrong\n"
    )
    print(
        f"| of {flags.decisions} decisions at random | wrong among them | ranked by | within | "
        f"`{TAKEN_FOR}` | wrong in the next {flags.decisions} |\n|---|---|---|---|---|---|"
    )
    for part in AUDIT_PARTS:
        print(taught(faces, expressions, number=flags.decisions, part=part, seed=flags.seed))


if __name__ == "__main__":
    main()
