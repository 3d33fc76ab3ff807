import numpy as np
import pandas as pd
import pytest

from fer_data.core.tables import with_probabilities
from fer_data.label_quality.heldout_scores import heldout_label_quality

EXPRESSIONS = ("happy", "neutral", "sad")
MANIFEST = pd.DataFrame(
    {"path": ["Testing/b", "Training/c", "Testing/a"], "label": ["sad", "happy", "happy"]}
)


def scored_by(fold: int, *probabilities: list[float]) -> pd.DataFrame:
    original_splits = ["testing", "training", "testing"]
    rows = pd.DataFrame({"path": MANIFEST["path"], "original_split": original_splits, "fold": fold})
    return with_probabilities(rows, np.array(probabilities))


def test_a_label_is_rated_by_the_mean_of_all_folds() -> None:
    scored = pd.concat(
        [
            scored_by(0, [0.1, 0.8, 0.1], [1.0, 0.0, 0.0], [0.9, 0.1, 0.0]),
            scored_by(1, [0.3, 0.4, 0.3], [0.0, 1.0, 0.0], [0.7, 0.1, 0.2]),
        ]
    )
    rated = heldout_label_quality(scored, MANIFEST, expressions=EXPRESSIONS, method="odds")
    assert list(rated["path"]) == ["Testing/a", "Testing/b"]
    # The label's odds against its strongest rival: .8 to .1, and .2 to .6.
    assert list(rated["label_quality"]) == pytest.approx([0.8 / 0.9, 0.25], rel=1e-6)


def test_the_score_is_the_one_that_is_asked_for() -> None:
    scored = scored_by(0, [0.1, 0.8, 0.1], [1.0, 0.0, 0.0], [0.9, 0.1, 0.0])
    rated = heldout_label_quality(
        scored, MANIFEST, expressions=EXPRESSIONS, method="self_confidence"
    )
    assert list(rated["label_quality"]) == pytest.approx([0.9, 0.1], rel=1e-6)
