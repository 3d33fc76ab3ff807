import numpy as np
import pytest

from fer_models.calibration.conformal import conformal, prediction_sets, set_threshold
from fer_models.metrics.prediction_table import Predictions

EXPRESSIONS = ("angry", "happy", "sad", "neutral")


def predictions(num_faces: int, *, seed: int) -> Predictions:
    """Far too confident predictions: the promise must hold for them too."""
    generator = np.random.default_rng(seed)
    honest = generator.dirichlet(np.ones(4), size=num_faces)
    labels = (honest.cumsum(axis=1) > generator.random((num_faces, 1))).argmax(axis=1)
    sharp = honest**4
    return Predictions(labels, (sharp / sharp.sum(axis=1, keepdims=True)).astype(np.float32))


def with_label_probabilities(probabilities: list[float]) -> Predictions:
    column = np.array(probabilities, np.float32)
    return Predictions(np.zeros(len(column), np.int64), np.stack([column, 1 - column], axis=1))


def test_the_threshold_is_the_label_s_probability_at_the_rank() -> None:
    # (9 + 1) * 0.8 = 8: the eighth largest of nine.
    tenths = [number / 10 for number in range(1, 10)]
    assert set_threshold(with_label_probabilities(tenths), coverage=0.8) == pytest.approx(0.2)
    assert set_threshold(with_label_probabilities(tenths), coverage=0.81) == pytest.approx(0.1)


def test_rounding_does_not_raise_the_rank() -> None:
    probabilities = [number / 100 for number in range(1, 30)]
    # (29 + 1) * 0.9 is a little more than 27 in floating point.
    assert set_threshold(with_label_probabilities(probabilities), coverage=0.9) == pytest.approx(
        0.03
    )


def test_too_few_faces_give_sets_of_all_classes() -> None:
    assert set_threshold(with_label_probabilities([0.5] * 8), coverage=0.9) == 0
    assert set_threshold(with_label_probabilities([0.5] * 9), coverage=0.9) == 0.5


@pytest.mark.parametrize("coverage", [0.8, 0.9])
def test_the_promise_holds_on_average_over_many_draws(coverage: float) -> None:
    rates = []
    for seed in range(60):
        chosen_on, other = predictions(200, seed=seed), predictions(1_000, seed=1_000 + seed)
        sets = prediction_sets(other.probabilities, set_threshold(chosen_on, coverage=coverage))
        rates.append(sets[np.arange(1_000), other.labels].mean())
    # At least the promise, and less than 1 / (N + 1) above it; 0.008 is three standard errors.
    assert coverage - 0.01 < np.mean(rates) < coverage + 1 / 201 + 0.01


def test_metrics_agree_with_the_sets() -> None:
    chosen_on, other = predictions(300, seed=0), predictions(500, seed=1)
    found = conformal(
        chosen_on, other, expressions=EXPRESSIONS, coverage=0.9, num_resamples=100, seed=0
    )
    sets = prediction_sets(other.probabilities, found["threshold"])
    assert (found["promised"], found["faces"]) == (0.9, 300)
    assert sum(found["sizes"]) == 500
    assert len(found["sizes"]) == 5
    mean_size = np.average(range(5), weights=found["sizes"])
    assert found["mean_size"]["value"] == pytest.approx(mean_size)
    for figure in (found["coverage"], found["mean_size"]):
        assert figure["low"] < figure["value"] < figure["high"]
    sad = other.labels == 2
    assert found["per_class"]["sad"]["coverage"] == pytest.approx(sets[sad, 2].mean())
    shares = np.bincount(other.labels, minlength=4) / 500
    coverages = [figures["coverage"] for figures in found["per_class"].values()]
    assert np.dot(shares, coverages) == pytest.approx(found["coverage"]["value"])


def test_a_class_without_faces_has_no_coverage() -> None:
    few = Predictions(np.array([0, 1] * 20), predictions(40, seed=0).probabilities)
    found = conformal(few, few, expressions=EXPRESSIONS, coverage=0.9, num_resamples=100, seed=0)
    assert found["per_class"]["neutral"] == {"coverage": None, "mean_size": None}
