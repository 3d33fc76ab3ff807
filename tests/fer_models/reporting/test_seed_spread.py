import numpy as np
import pytest

from fer_models.reporting.report_settings import SeedSpread
from fer_models.reporting.seed_spread import difference

SPREAD = SeedSpread(accuracy=0.013, degrees_of_freedom=24)


def test_retrainings_that_change_nothing_are_called_a_change_one_time_in_twenty() -> None:
    """Each training's accuracy is drawn anew, as seeds do; over faces alone, half would be called."""
    generator = np.random.default_rng(0)
    hard = generator.normal(size=7_067)  # faces that are hard for one are hard for the other
    calls = {"faces": 0, "both": 0}
    num_tries = 400
    for _ in range(num_tries):
        first, second = (
            hard + generator.normal(scale=0.5, size=len(hard))
            < 0.15 + generator.normal(scale=0.037)
            for _ in range(2)
        )
        over_faces = difference(first, second, (None, None))
        calls["faces"] += not over_faces.low <= 0 <= over_faces.high
        both = difference(first, second, (SPREAD, SPREAD))
        calls["both"] += not both.low <= 0 <= both.high
    assert calls["faces"] > 0.4 * num_tries
    assert 0.02 < calls["both"] / num_tries < 0.09


def test_few_seeds_are_trusted_less() -> None:
    first, second = np.arange(1_000) < 500, np.arange(1_000) < 540
    three = SeedSpread(accuracy=0.013, degrees_of_freedom=2)
    wide, narrow = (difference(first, second, (one, one)) for one in (three, SPREAD))
    assert wide.value == narrow.value == pytest.approx(0.04)
    assert wide.low < narrow.low < wide.value < narrow.high < wide.high
    assert wide.p > narrow.p


def test_equal_predictions_differ_by_nothing() -> None:
    right = np.arange(10) < 5
    found = difference(right, right, (None, None))
    assert (found.value, found.low, found.high, found.p) == (0, 0, 0, 1)
    assert not found.covers_seeds
    assert difference(right, right, (SPREAD, SPREAD)).covers_seeds
    unknown = SeedSpread(accuracy=None, degrees_of_freedom=2)
    for other in (None, unknown):
        assert not difference(right, right, (SPREAD, other)).covers_seeds
