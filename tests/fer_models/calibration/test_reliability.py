import numpy as np
import pytest

from fer_models.calibration.reliability import at_temperature, calibration, reliability_bins
from fer_models.metrics.prediction_table import Predictions


def overconfident(num_faces: int, *, seed: int, power: float = 2.0) -> Predictions:
    """Honest predictions, sharpened: a temperature of `power` makes them honest again."""
    generator = np.random.default_rng(seed)
    honest = generator.dirichlet(np.ones(4), size=num_faces)
    labels = (honest.cumsum(axis=1) > generator.random((num_faces, 1))).argmax(axis=1)
    sharp = honest**power
    return Predictions(labels, (sharp / sharp.sum(axis=1, keepdims=True)).astype(np.float32))


def test_answers_know_what_is_right() -> None:
    predictions = Predictions(np.array([0, 1]), np.array([[0.7, 0.3], [0.6, 0.4]], np.float32))
    assert predictions.predicted_labels.tolist() == [0, 0]
    assert predictions.correct.tolist() == [True, False]
    assert predictions.confidences == pytest.approx([0.7, 0.6])
    assert predictions.label_probabilities == pytest.approx([0.7, 0.4])


def test_the_temperature_undoes_the_overconfidence_on_other_faces() -> None:
    found = calibration(
        *(overconfident(4_000, seed=seed) for seed in (0, 1)),
        num_bins=15, num_resamples=100, seed=0,
    )  # fmt: skip
    assert found["temperature"] == pytest.approx(2.0, rel=0.08)
    assert found["faces"] == 4_000
    before, after = found["before"], found["after"]
    assert before["calibration_error"]["low"] > 0.08
    assert after["calibration_error"]["value"] < 0.03
    assert after["loss"]["high"] < before["loss"]["value"]
    for step in (before, after):
        error, faces = step["calibration_error"], [one["faces"] for one in step["bins"]]
        assert error["low"] <= error["value"] <= error["high"]
        gaps = [abs(one["confidence"] - one["accuracy"]) for one in step["bins"]]
        assert np.average(gaps, weights=faces) == pytest.approx(error["value"])


def test_a_temperature_changes_no_prediction_and_one_changes_nothing() -> None:
    predictions = overconfident(200, seed=0)
    scaled = at_temperature(predictions.probabilities, 3.0)
    assert (scaled.argmax(axis=1) == predictions.predicted_labels).all()
    assert scaled.dtype == np.float32
    assert scaled.sum(axis=1) == pytest.approx(1, abs=1e-6)
    assert scaled.max() < predictions.confidences.max()
    np.testing.assert_allclose(
        at_temperature(predictions.probabilities, 1.0), predictions.probabilities, atol=1e-5
    )


def test_a_probability_of_nothing_has_a_temperature_too() -> None:
    scaled = at_temperature(np.array([[1, 0, 0]], np.float32), 2.0)
    assert np.isfinite(scaled).all()
    assert scaled[0, 1] > 0


def test_bins_hold_their_upper_end_and_empty_ones_are_left_out() -> None:
    probabilities = np.array([[0.5, 0.5], [0.75, 0.25], [0.2, 0.8], [1, 0]], np.float32)
    bins = reliability_bins(Predictions(np.array([0, 1, 1, 0]), probabilities), num_bins=4)
    assert [one["faces"] for one in bins] == [1, 1, 2]
    assert [one["accuracy"] for one in bins] == [1, 0, 1]
    assert bins[2]["confidence"] == pytest.approx(0.9)
