"""Whether the queue finds more wrong labels after it has learned from 100 decisions.

    ferflow sample ../drawn.zip && ferflow init ../drawn && cd ../drawn && ferflow preset demo
    ferflow add ../drawn.zip && dvc repro split
    python benchmarks/review_learning.py --keep FOLDER --key ../drawn.planted.csv --seeds 0 1 2 3 4

Run it in that workspace of drawn faces. For each seed, labels are planted on top of the archive's own
wrong ones: one in twenty at random, and of the class `happy` most as `surprise`, so that the labels
of `surprise` are mostly those of another class. The folds learn from them, and are scored once: they
are kept in FOLDER, so that a second run only ranks. Then the first 100 faces of the queue, with the
audit mixed in as in the review app, are decided by the key, and the wrong labels in the next 100
places are counted with and without learning, of the same scores.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.mislabels import Planted, score_folds, training_faces
from fer_data.core.catalog import output
from fer_data.core.face_store import read_pixels
from fer_data.core.schema import (
    DECISION,
    DROP,
    EXCLUDED,
    FOLD,
    GIVEN_LABEL,
    LABEL,
    NEAR_GROUP,
    PATH,
    PIXEL_HASH,
    SPLIT,
)
from fer_data.core.tables import probabilities_of
from fer_data.label_quality.mislabels import MislabelsSettings, rank_labels
from fer_data.label_quality.outliers import outlier_scores
from fer_data.review_queue.audit import draw_audit, mix_in
from fer_data.review_queue.decided_faces import decided_faces
from fer_data.review_queue.learned_ranking import learn_ranking
from fer_data.review_queue.review_queue import review_queue
from fer_data.stages.settings import DataSettings, read_settings
from fer_data.synthetic.planted_errors import TRUE_LABEL
from fer_models.cross_validation.crossval import CrossvalSettings

AT_RANDOM = 0.05
CONFUSED, TAKEN_FOR, PART = "happy", "surprise", 0.6
BUDGET, AUDIT_FACES = 1000, 200


def with_truth(faces: pd.DataFrame, key: Path) -> pd.DataFrame:
    """The faces with their true labels by the key of the drawn archive, `drop` where there is none."""
    truth = pd.read_csv(key, keep_default_na=False).set_index(PATH)[TRUE_LABEL]
    return faces.assign(
        **{TRUE_LABEL: faces[PATH].map(truth).replace("", DROP).fillna(faces[LABEL])}
    )


def plant(faces: pd.DataFrame, expressions: tuple[str, ...], *, seed: int) -> Planted:
    """Flips labels, those of near-duplicates as one."""
    generator = np.random.default_rng(seed)
    groups = np.unique(faces[NEAR_GROUP])
    flips = {group: generator.random() for group in groups}
    others = {group: generator.integers(len(expressions)) for group in groups}
    labels = faces[LABEL].to_numpy(object).copy()
    for place, (group, label) in enumerate(zip(faces[NEAR_GROUP], labels, strict=True)):
        if label == CONFUSED and flips[group] < PART:
            labels[place] = TAKEN_FOR
        elif flips[group] > 1 - AT_RANDOM:
            labels[place] = expressions[others[group]]
    numbers = {name: number for number, name in enumerate(expressions)}
    given = faces.assign(**{LABEL: labels})
    return Planted(given, given[LABEL].map(numbers).to_numpy(), np.full(len(faces), ""))


def found_in_next(
    scored: pd.DataFrame, expressions: tuple[str, ...], *, number: int, seed: int
) -> tuple[int, int, str]:
    """How many of the next places have a wrong label without and with learning, and what won."""
    truth = scored.set_index(PATH)[TRUE_LABEL]
    ranked = scored.drop(columns=TRUE_LABEL)
    no_decisions = pd.DataFrame({PIXEL_HASH: [], GIVEN_LABEL: [], DECISION: []}, dtype=str)
    audit = draw_audit(ranked, no_decisions[PIXEL_HASH], num_faces=AUDIT_FACES, seed=seed)
    queue = review_queue(ranked, no_decisions, budget=BUDGET, balance="none")
    first = mix_in(queue, audit).head(number)
    decisions = pd.DataFrame(
        {
            PIXEL_HASH: first[PIXEL_HASH],
            GIVEN_LABEL: first[LABEL],
            DECISION: first[PATH].map(truth),
        }
    )
    learned = learn_ranking(
        ranked,
        decided_faces(ranked, decisions, audit),
        expressions=expressions,
        min_decisions=number,
    )
    counts = []
    for one in (ranked, learned.ranked):
        following = review_queue(one, decisions, budget=number, balance="none")
        counts.append(int((following[PATH].map(truth) != following[LABEL]).sum()))
    return counts[0], counts[1], learned.summary["ranking"]


def main() -> None:
    """Plants, scores, decides, learns, and prints a line a seed, and the mean and spread."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", type=Path, required=True)
    parser.add_argument("--key", type=Path, required=True, help="of the drawn archive")
    parser.add_argument("--seeds", type=int, nargs="+", default=range(5))
    parser.add_argument("--decisions", type=int, default=100)
    flags = parser.parse_args()
    expressions = read_settings(DataSettings, "data").expressions
    crossval = read_settings(CrossvalSettings, "crossval")
    ranking = read_settings(MislabelsSettings, "mislabels")
    pixels = read_pixels(output("ingest", "pixels.npy"))
    faces = with_truth(training_faces(), flags.key)
    outliers = outlier_scores(pixels, faces["row"].to_numpy())
    folds = sorted(set(faces.loc[faces[SPLIT] != EXCLUDED, FOLD]))
    results = []
    for seed in flags.seeds:
        planted = plant(faces, expressions, seed=seed)
        keep = flags.keep / f"systematic-{seed}"
        scores = score_folds(planted, pixels, folds, settings=crossval, keep=keep)
        rows = planted.rows.merge(scores, on=PATH)
        ranked = rank_labels(
            rows, probabilities_of(rows), outliers, expressions=expressions, settings=ranking
        ).merge(rows[[PATH, SPLIT, NEAR_GROUP, TRUE_LABEL]], on=PATH)
        wrong = (ranked[LABEL] != ranked[TRUE_LABEL]).mean()
        result = found_in_next(ranked, expressions, number=flags.decisions, seed=seed)
        results.append(result)
        print(
            f"seed {seed}: {wrong:.1%} of {len(ranked)} labels wrong; of the next "
            f"{flags.decisions} places, {result[0]} without learning, {result[1]} with it "
            f"(by {result[2]})",
            flush=True,
        )
    without, learned = (np.array([one[place] for one in results]) for place in (0, 1))
    for name, counts in (("without", without), ("with", learned), ("gain", learned - without)):
        spread = counts.std(ddof=1) if len(counts) > 1 else float("nan")
        print(f"{name}: mean {counts.mean():.1f}, standard deviation {spread:.1f}")


if __name__ == "__main__":
    main()
