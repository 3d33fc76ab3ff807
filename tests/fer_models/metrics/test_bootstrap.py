from functools import partial

import numpy as np
import pytest

from fer_models.metrics.bootstrap import Interval, bootstrap_intervals
from fer_models.metrics.classification import headline_metrics


def mean_of(values: np.ndarray, counts: np.ndarray) -> dict[str, np.ndarray]:
    return {"mean": counts @ values / counts.sum(axis=1)}


def interval_of_mean(values: np.ndarray, *, num_resamples: int = 1000, seed: int = 0) -> Interval:
    metrics = partial(mean_of, values)
    return bootstrap_intervals(metrics, len(values), num_resamples=num_resamples, seed=seed)["mean"]


def ends(interval: Interval) -> tuple[float, float, float]:
    assert interval.low is not None
    assert interval.value is not None
    assert interval.high is not None
    return interval.low, interval.value, interval.high


def test_interval_is_that_of_the_normal_law_for_a_mean():
    values = np.random.default_rng(0).normal(size=2000)
    low, value, high = ends(interval_of_mean(values, num_resamples=4000))
    half_width = 1.96 * values.std() / np.sqrt(2000)
    assert value == pytest.approx(values.mean(), rel=1e-12)
    assert low == pytest.approx(value - half_width, abs=0.1 * half_width)
    assert high == pytest.approx(value + half_width, abs=0.1 * half_width)


def test_interval_covers_the_truth_about_as_often_as_it_says():
    generator = np.random.default_rng(0)
    covered = 0
    for seed in range(200):
        correct = (generator.random(300) < 0.6).astype(float)
        low, _, high = ends(interval_of_mean(correct, num_resamples=200, seed=seed))
        covered += low <= 0.6 <= high
    assert 0.90 <= covered / 200 <= 0.985


def test_interval_narrows_with_the_root_of_the_number_of_faces():
    correct = (np.random.default_rng(0).random(6400) < 0.6).astype(float)
    few_low, _, few_high = ends(interval_of_mean(correct[:400]))
    many_low, _, many_high = ends(interval_of_mean(correct))
    assert (few_high - few_low) / (many_high - many_low) == pytest.approx(4, rel=0.15)


def test_seed_alone_decides():
    values = np.random.default_rng(0).normal(size=100)
    assert interval_of_mean(values, seed=3) == interval_of_mean(values, seed=3)
    assert interval_of_mean(values, seed=3) != interval_of_mean(values, seed=4)


def test_parts_do_not_change_the_draws(monkeypatch: pytest.MonkeyPatch):
    # Sums of whole numbers are exact in any order; a BLAS may sum each size of part in another.
    values = np.random.default_rng(0).integers(-100, 100, size=100).astype(float)
    at_once = interval_of_mean(values, num_resamples=250)
    monkeypatch.setattr("fer_models.metrics.bootstrap._COUNTS_AT_A_TIME", 700)
    assert interval_of_mean(values, num_resamples=250) == at_once
    monkeypatch.setattr("fer_models.metrics.bootstrap._COUNTS_AT_A_TIME", 1)
    assert interval_of_mean(values, num_resamples=250) == at_once


def test_each_resample_holds_as_many_faces_as_there_are():
    seen: list[np.ndarray] = []

    def metrics(counts: np.ndarray) -> dict[str, np.ndarray]:
        seen.append(counts)
        return {"faces": counts.sum(axis=1).astype(float)}

    interval = bootstrap_intervals(metrics, 50, num_resamples=120, seed=0)["faces"]
    assert interval == Interval(50, 50, 50)
    assert seen[0].tolist() == [[1] * 50]
    assert sum(map(len, seen[1:])) == 120
    assert all(counts.min() == 0 for counts in seen[1:])


@pytest.mark.parametrize("seed", range(5))
def test_headlines_lie_in_their_intervals_even_when_calibrated(seed: int):
    generator = np.random.default_rng(seed)
    probabilities = generator.dirichlet(np.ones(4), size=300)
    labels = (probabilities.cumsum(axis=1) < generator.random((300, 1))).sum(axis=1)
    metrics = partial(headline_metrics, labels, probabilities, num_bins=15)
    intervals = bootstrap_intervals(metrics, 300, num_resamples=200, seed=seed)
    for name, interval in intervals.items():
        low, value, high = ends(interval)
        assert low <= value <= high, name
        assert low < high, name


def test_interval_is_stretched_to_a_value_that_all_resamples_miss():
    def metrics(counts: np.ndarray) -> dict[str, np.ndarray]:
        drawn = (counts > 0).mean(axis=1)
        return {"drawn": drawn, "left_out": 1 - drawn}

    intervals = bootstrap_intervals(metrics, 500, num_resamples=100, seed=0)
    low, value, high = ends(intervals["left_out"])
    assert low == value == 0
    assert high == pytest.approx(np.exp(-1), abs=0.05)
    low, value, high = ends(intervals["drawn"])
    assert value == high == 1
    assert low == pytest.approx(1 - np.exp(-1), abs=0.05)


def test_metric_without_value_has_no_interval_and_undefined_resamples_are_left_out():
    def metrics(counts: np.ndarray) -> dict[str, np.ndarray]:
        first = counts[:, 0].astype(float)
        return {
            "never": np.full(len(counts), np.nan),
            "at_times": np.where(first > 0, first, np.nan),
            "never_again": np.where(counts.max(axis=1) == 1, 2.0, np.nan),
        }

    intervals = bootstrap_intervals(metrics, 20, num_resamples=100, seed=0)
    assert intervals["never"] == Interval(None, None, None)
    assert intervals["at_times"] == Interval(1, 1, 3)
    assert intervals["never_again"] == Interval(2, 2, 2)


@pytest.mark.parametrize(
    ("num_faces", "num_resamples", "confidence", "message"),
    [
        (0, 10, 0.95, "got 0 faces and 10 resamples"),
        (10, 0, 0.95, "got 10 faces and 0 resamples"),
        (10, 10, 95, "got confidence 95, expected a number between 0 and 1"),
    ],
)
def test_impossible_resamples_are_refused(
    num_faces: int, num_resamples: int, confidence: float, message: str
):
    with pytest.raises(ValueError, match=message):
        bootstrap_intervals(
            partial(mean_of, np.zeros(num_faces)),
            num_faces,
            num_resamples=num_resamples,
            seed=0,
            confidence=confidence,
        )
