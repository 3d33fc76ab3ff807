import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, precision_recall_curve

from fer_models.metrics.curves import average_precisions, precision_recall_points
from fer_models.metrics.prediction_table import Predictions

EXPRESSIONS = ("angry", "happy", "sad")


def random_predictions(num_faces: int, *, seed: int = 0) -> Predictions:
    generator = np.random.default_rng(seed)
    probabilities = generator.dirichlet(np.ones(3), size=num_faces).round(2).astype(np.float32)
    return Predictions(generator.integers(3, size=num_faces), probabilities)


@pytest.mark.parametrize("seed", range(3))
def test_average_precisions_are_scikit_learn_s(seed: int) -> None:
    predictions = random_predictions(300, seed=seed)
    found = average_precisions(predictions, expressions=EXPRESSIONS)
    for number, expression in enumerate(EXPRESSIONS):
        expected = average_precision_score(
            predictions.labels == number, predictions.probabilities[:, number]
        )
        assert found[expression] == pytest.approx(expected)


def test_an_average_precision_by_hand() -> None:
    # Ranked by probability: angry, happy, angry, happy; precision 1 at the first, 2/3 at the third.
    column = np.array([0.9, 0.8, 0.7, 0.6], np.float32)
    predictions = Predictions(np.array([0, 1, 0, 1]), np.stack([column, 1 - column], axis=1))
    found = average_precisions(predictions, expressions=("angry", "happy"))
    assert found["angry"] == pytest.approx((1 + 2 / 3) / 2)


def test_points_lie_on_scikit_learn_s_curve() -> None:
    predictions = random_predictions(400)
    points = precision_recall_points(predictions, expressions=EXPRESSIONS, max_points=50)
    assert list(points.columns) == ["expression", "recall", "precision"]
    for number, expression in enumerate(EXPRESSIONS):
        curve = points[points["expression"] == expression]
        assert len(curve) <= 50
        assert curve["recall"].is_monotonic_increasing
        assert (curve["recall"].iloc[0], curve["recall"].iloc[-1]) == (0, 1)
        precisions, recalls, _ = precision_recall_curve(
            predictions.labels == number, predictions.probabilities[:, number]
        )
        theirs = set(zip(recalls.tolist(), precisions.tolist(), strict=True))
        assert set(zip(curve["recall"], curve["precision"], strict=True)) <= theirs


def test_a_class_without_faces_has_no_curve_and_no_average() -> None:
    predictions = Predictions(np.array([0, 1, 0]), random_predictions(3).probabilities)
    assert average_precisions(predictions, expressions=EXPRESSIONS)["sad"] is None
    points = precision_recall_points(predictions, expressions=EXPRESSIONS)
    assert set(points["expression"]) == {"angry", "happy"}


def test_no_faces_give_no_points() -> None:
    nothing = Predictions(np.zeros(0, np.int64), np.zeros((0, 3), np.float32))
    points = precision_recall_points(nothing, expressions=EXPRESSIONS)
    pd.testing.assert_index_equal(points.columns, pd.Index(["expression", "recall", "precision"]))
    assert points.empty
