from typing import Any

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from fer_data.core.schema import EXPRESSION, FALSE_POSITIVE_RATE, TRUE_POSITIVE_RATE
from fer_models.metrics.classification import (
    auroc_by_class,
    class_metrics,
    confusion_counts,
    headline_metrics,
    roc_points,
)

EXPRESSIONS = ("angry", "happy", "sad")
ONCE = np.ones((1, 200), np.int64)


def random_scores(*, num_faces: int = 200, ties: bool = False, seed: int = 0):
    """Labels and probabilities that agree more often than by chance; with `ties`, few distinct ones."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(3, size=num_faces)
    scores = generator.gamma(1.0, size=(num_faces, 3)) + np.eye(3)[labels]
    if ties:
        scores = np.round(scores)
        scores[scores.sum(axis=1) == 0] = 1
    return labels, (scores / scores.sum(axis=1, keepdims=True)).astype(np.float32)


def once_each(labels: np.ndarray, probabilities: np.ndarray, num_bins: int = 15):
    metrics = headline_metrics(
        labels, probabilities, np.ones((1, len(labels)), np.int64), num_bins=num_bins
    )
    return {name: float(values[0]) for name, values in metrics.items()}


def in_sklearn_words(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    predictions = probabilities.argmax(axis=1)
    clipped = np.clip(probabilities.astype(np.float64), 1e-7, 1 - 1e-7)
    likelihoods = clipped[np.arange(len(labels)), labels]
    aurocs = [
        sklearn_metrics.roc_auc_score(labels == number, probabilities[:, number])
        for number in range(3)
    ]
    return {
        "accuracy": float(sklearn_metrics.accuracy_score(labels, predictions)),
        "loss": float(-np.log(likelihoods).mean()),
        "macro_f1": float(sklearn_metrics.f1_score(labels, predictions, average="macro")),
        "macro_auroc": float(np.mean(aurocs)),
    }


@pytest.mark.parametrize("ties", [False, True])
def test_headline_metrics_are_those_of_sklearn(ties: bool):
    labels, probabilities = random_scores(ties=ties)
    metrics = once_each(labels, probabilities)
    assert list(metrics) == ["accuracy", "loss", "macro_f1", "macro_auroc", "calibration_error"]
    for name, expected in in_sklearn_words(labels, probabilities).items():
        assert metrics[name] == pytest.approx(expected, rel=1e-12), name


def test_loss_is_the_log_loss_of_sklearn():
    labels, probabilities = random_scores()
    exact = probabilities.astype(np.float64)
    exact /= exact.sum(axis=1, keepdims=True)
    expected = sklearn_metrics.log_loss(labels, exact)
    assert once_each(labels, exact)["loss"] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("ties", [False, True])
def test_counts_stand_for_repeated_faces(ties: bool):
    labels, probabilities = random_scores(ties=ties)
    drawn = np.random.default_rng(1).integers(200, size=(4, 200))
    counts = np.stack([np.bincount(rows, minlength=200) for rows in drawn])
    metrics = headline_metrics(labels, probabilities, counts, num_bins=15)
    aurocs = auroc_by_class(labels, probabilities, counts)
    for number, rows in enumerate(drawn):
        repeated = labels[rows], probabilities[rows]
        for name, expected in {**once_each(*repeated), **in_sklearn_words(*repeated)}.items():
            assert metrics[name][number] == pytest.approx(expected, rel=1e-12), name
        assert aurocs[number] == pytest.approx(auroc_by_class(*repeated, ONCE)[0], rel=1e-12)


def test_a_certain_mistake_costs_what_keras_makes_it_cost():
    labels, probabilities = np.array([0, 1]), np.array([[0.0, 1.0], [0.0, 1.0]])
    expected = -(np.log(1e-7) + np.log(1 - 1e-7)) / 2
    assert once_each(labels, probabilities)["loss"] == pytest.approx(expected, rel=1e-12)


def test_calibration_error_by_hand():
    # Bins of a half. Up to .5: one face, right, confidence .5, gap |.5|. Above: three faces with
    # confidences .6, .8 and 1, two of them right, gap |2 - 2.4|. In all (.5 + .4) / 4.
    probabilities = np.array([[0.5, 0.5], [0.6, 0.4], [0.2, 0.8], [1.0, 0.0]])
    labels = np.array([0, 1, 1, 0])
    metrics = once_each(labels, probabilities, num_bins=2)
    assert metrics["calibration_error"] == pytest.approx(0.225, abs=1e-12)


@pytest.mark.parametrize(("num_bins", "expected"), [(1, 0.01), (10, 0.21)])
def test_gaps_cancel_within_a_bin_alone(num_bins: int, expected: float):
    # Two faces right with .75: 2 - 1.5. Three with .85, two of them right: 2 - 2.55. Over five faces.
    confidences = np.array([0.75, 0.75, 0.85, 0.85, 0.85])
    probabilities = np.stack([confidences, 1 - confidences], axis=1)
    labels = np.array([0, 0, 0, 0, 1])
    metrics = once_each(labels, probabilities, num_bins=num_bins)
    assert metrics["calibration_error"] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("ties", [False, True])
def test_class_metrics_are_those_of_sklearn(ties: bool):
    labels, probabilities = random_scores(ties=ties)
    metrics = class_metrics(labels, probabilities, expressions=EXPRESSIONS)
    expected: Any = sklearn_metrics.classification_report(
        labels, probabilities.argmax(axis=1), target_names=EXPRESSIONS, output_dict=True
    )
    assert tuple(metrics) == EXPRESSIONS
    for number, (expression, of_class) in enumerate(metrics.items()):
        report = expected[expression]
        assert of_class["precision"] == pytest.approx(report["precision"], rel=1e-12)
        assert of_class["recall"] == pytest.approx(report["recall"], rel=1e-12)
        assert of_class["f1"] == pytest.approx(report["f1-score"], rel=1e-12)
        assert of_class["faces"] == report["support"]
        auroc = sklearn_metrics.roc_auc_score(labels == number, probabilities[:, number])
        assert of_class["auroc"] == pytest.approx(auroc, rel=1e-12)


def test_a_class_without_faces_has_zeros_and_no_auroc():
    labels, probabilities = random_scores()
    labels[labels == 1] = 0
    of_classes = class_metrics(labels, probabilities, expressions=EXPRESSIONS)
    assert of_classes["happy"] == {"precision": 0, "recall": 0, "f1": 0, "auroc": None, "faces": 0}
    metrics = once_each(labels, probabilities)
    for name, key in [("macro_f1", "f1"), ("macro_auroc", "auroc")]:
        present = [of_class[key] for of_class in of_classes.values() if of_class[key] is not None]
        assert metrics[name] == pytest.approx(np.mean(np.array(present, float)), rel=1e-12)
    assert np.isnan(auroc_by_class(labels, probabilities, ONCE)[0]).tolist() == [False, True, False]


def test_one_class_alone_has_no_macro_auroc():
    _, probabilities = random_scores()
    assert np.isnan(once_each(np.zeros(200, np.int64), probabilities)["macro_auroc"])


def test_confusion_has_a_row_a_label():
    confusion = confusion_counts(np.array([0, 0, 2]), np.array([0, 1, 0]), 3)
    assert confusion.tolist() == [[1, 1, 0], [0, 0, 0], [1, 0, 0]]


def test_roc_points_lie_on_the_curve_and_keep_its_ends():
    labels, probabilities = random_scores(num_faces=5000)
    points = roc_points(labels, probabilities, expressions=EXPRESSIONS)
    assert tuple(points[EXPRESSION].unique()) == EXPRESSIONS
    for number, expression in enumerate(EXPRESSIONS):
        of_class = points[EXPRESSION] == expression
        rates = np.asarray(points.loc[of_class, [FALSE_POSITIVE_RATE, TRUE_POSITIVE_RATE]])
        exact = sklearn_metrics.roc_curve(labels == number, probabilities[:, number])
        on_curve = set(zip(exact[0], exact[1], strict=True))
        assert 100 < len(rates) <= 200
        assert set(map(tuple, rates)) <= on_curve
        assert rates[0].tolist() == [0, 0]
        assert rates[-1].tolist() == [1, 1]
        assert (np.diff(rates, axis=0) >= 0).all()
        area = sklearn_metrics.auc(rates[:, 0], rates[:, 1])
        assert area == pytest.approx(sklearn_metrics.auc(exact[0], exact[1]), abs=2e-3)


def test_roc_points_of_two_are_the_ends():
    labels, probabilities = random_scores()
    points = roc_points(labels, probabilities, expressions=EXPRESSIONS, max_points=2)
    rates = points[[FALSE_POSITIVE_RATE, TRUE_POSITIVE_RATE]]
    assert rates.to_numpy().tolist() == [[0, 0], [1, 1]] * 3


def test_roc_points_leave_out_a_class_without_faces():
    labels, probabilities = random_scores()
    labels[labels == 1] = 0
    points = roc_points(labels, probabilities, expressions=EXPRESSIONS)
    assert list(points[EXPRESSION].unique()) == ["angry", "sad"]
    alone = roc_points(np.zeros(200, np.int64), probabilities, expressions=EXPRESSIONS)
    assert alone.empty
    assert list(alone.columns) == list(points.columns)


@pytest.mark.parametrize(
    ("labels", "probabilities", "counts", "message"),
    [
        ([0, 1], np.ones((3, 2)) / 2, np.ones((1, 2)), r"labels \(2,\) and probabilities \(3, 2\)"),
        ([0, 1], np.ones(2), np.ones((1, 2)), r"labels \(2,\) and probabilities \(2,\)"),
        ([0, 1], np.ones((2, 2)) / 2, np.ones((1, 3)), r"labels \(2,\) and counts \(1, 3\)"),
        ([0, 2], np.ones((2, 2)) / 2, np.ones((1, 2)), "labels from 0 to 2, expected 0 to 1"),
        ([-1, 1], np.ones((2, 2)) / 2, np.ones((1, 2)), "labels from -1 to 1, expected 0 to 1"),
        ([0, 1], np.full((2, 2), np.nan), np.ones((1, 2)), "probabilities that are NaN"),
        ([0, 1], np.full((2, 2), -1.0), np.ones((1, 2)), "not from 0 to 1"),
    ],
)
def test_what_does_not_fit_is_refused(
    labels: list[int], probabilities: np.ndarray, counts: np.ndarray, message: str
):
    with pytest.raises(ValueError, match=message):
        headline_metrics(np.array(labels), probabilities, counts.astype(np.int64), num_bins=15)


def test_other_numbers_of_classes_are_refused():
    labels, probabilities = random_scores()
    with pytest.raises(ValueError, match=r"probabilities \(200, 3\) for 2 expressions"):
        class_metrics(labels, probabilities, expressions=("angry", "happy"))
    with pytest.raises(ValueError, match=r"probabilities \(200, 3\) for 2 expressions"):
        roc_points(labels, probabilities, expressions=("angry", "happy"))
    with pytest.raises(ValueError, match=r"labels \(200,\) and predictions \(2,\)"):
        confusion_counts(labels, labels[:2], 3)
