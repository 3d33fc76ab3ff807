"""What `benchmarks/systematic_noise.py` plants, and what it makes of scores, on faces of numbers."""

import re

import numpy as np
import pandas as pd

from benchmarks import systematic_noise
from fer_data.core.schema import (
    ISSUE_TYPE,
    LABEL,
    LABEL_QUALITY,
    NEAR_GROUP,
    PATH,
    PIXEL_HASH,
    PROBABILITIES,
    RANK,
    SPLIT,
    SUGGESTED_LABEL,
    TRAIN,
)
from fer_data.synthetic.planted_errors import TRUE_LABEL

EXPRESSIONS = ("angry", "fear", "happy", "neutral", "sad", "surprise")


def faces(num_faces: int = 6000) -> pd.DataFrame:
    generator = np.random.default_rng(0)
    labels = np.array(EXPRESSIONS, dtype=object)[generator.integers(0, 6, num_faces)]
    groups = np.arange(num_faces)
    groups[1::100] = groups[::100]
    labels[1::100] = labels[::100]
    return pd.DataFrame(
        {
            PATH: [f"{number:05d}.png" for number in range(num_faces)],
            PIXEL_HASH: [f"{number:064x}" for number in generator.permutation(num_faces)],
            LABEL: labels,
            TRUE_LABEL: labels,
            NEAR_GROUP: groups,
            SPLIT: TRAIN,
        }
    )


def test_half_of_a_class_is_of_others_and_near_duplicates_stay_equal() -> None:
    drawn = faces()
    planted = systematic_noise.plant(drawn, EXPRESSIONS, seed=0)
    wrong = systematic_noise.wrong(planted.rows)
    taken = (planted.rows[LABEL] == "fear").to_numpy()
    assert 0.47 < wrong[taken].mean() < 0.57
    assert 0.03 < wrong[~taken].mean() < 0.07
    assert ((planted.ways != "") == wrong).all()
    assert (planted.rows[LABEL][1::100].to_numpy() == planted.rows[LABEL][::100].to_numpy()).all()
    again = systematic_noise.plant(drawn, EXPRESSIONS, seed=0)
    assert (again.labels == planted.labels).all()


def test_decisions_teach_which_labels_go_wrong() -> None:
    """Scores that know the true class of all but `fear`, in which they believe every label."""
    rows = systematic_noise.plant(faces(), EXPRESSIONS, seed=0).rows
    generator = np.random.default_rng(1)
    numbers = {name: number for number, name in enumerate(EXPRESSIONS)}
    true, given = (rows[name].map(numbers).to_numpy() for name in (TRUE_LABEL, LABEL))
    odds = generator.normal(size=(len(rows), 6)) + 3 * np.eye(6)[true] + 4 * np.eye(6)[given]
    probabilities = np.exp(odds) / np.exp(odds).sum(axis=1, keepdims=True)
    quality = probabilities[np.arange(len(rows)), given]
    ranked = rows.assign(
        **{
            LABEL_QUALITY: quality,
            SUGGESTED_LABEL: "sad",
            ISSUE_TYPE: "wrong",
            PROBABILITIES: list(probabilities.astype(np.float32)),
        }
    ).sort_values([LABEL_QUALITY, PATH], ignore_index=True)
    ranked[RANK] = np.arange(1, len(ranked) + 1)
    rows_of = [
        systematic_noise.taught(ranked, EXPRESSIONS, number=500, part=part, seed=0)
        for part in (0.0, 0.5)
    ]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows_of]
    assert [row[0] for row in cells] == ["0%", "50%"]
    assert [row[2] for row in cells] == ["label quality", "decisions"]
    assert all(re.fullmatch(r"0\.\d{3}|1\.000", cell) for row in cells for cell in row[3:5])
    without, learned = (float(row[5].rstrip("%")) for row in cells)
    assert learned >= max(without, 95)
