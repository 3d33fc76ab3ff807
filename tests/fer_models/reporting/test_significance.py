import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from fer_data.core.errors import UserError
from fer_models.reporting.report_settings import SeedSpread
from fer_models.reporting.significance import holm, mcnemar, paired_tests


def answers(right: np.ndarray) -> pd.DataFrame:
    columns = {
        "path": [f"{number}.jpg" for number in range(len(right))],
        "label": "sad",
        "prediction": np.where(right, "sad", "happy"),
    }
    return pd.DataFrame(columns)


def test_the_exact_test_is_that_of_a_fair_coin() -> None:
    assert mcnemar(10, 2) == pytest.approx(2 * binom.cdf(2, 12, 0.5))
    assert mcnemar(2, 10) == mcnemar(10, 2)
    assert mcnemar(7, 7) == 1
    assert mcnemar(0, 0) == 1


def test_the_test_is_right_about_chance_as_often_as_it_says() -> None:
    counts = np.random.default_rng(0).binomial(200, 0.5, size=2_000)
    found = np.mean([mcnemar(int(one), 200 - int(one)) <= 0.05 for one in counts])
    assert 0.02 < found <= 0.055


def test_holm_s_correction_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.6, 0.7]) == [1, 1]
    assert holm([]) == []


def test_each_pair_is_tested_once_and_the_better_one_named() -> None:
    right = np.arange(1_000) < 500
    more = np.arange(1_000) < 560
    found = paired_tests({"a": answers(right), "b": answers(more), "c": answers(right)})
    assert [(pair.better, pair.worse) for pair in found] == [("b", "a"), ("a", "c"), ("b", "c")]
    assert (found[0].only_better, found[0].only_worse) == (60, 0)
    assert found[0].points == pytest.approx(6)
    assert found[0].p_adjusted == pytest.approx(3 * found[0].p)
    assert [pair.beyond_faces for pair in found] == [True, False, True]
    assert not any(pair.beyond_chance for pair in found)  # nothing is known of other seeds


@pytest.mark.parametrize(("spread", "beyond"), [(0.005, True), (0.03, False)])
def test_a_difference_that_other_seeds_explain_is_not_beyond_chance(
    spread: float, beyond: bool
) -> None:
    right, more = np.arange(1_000) < 500, np.arange(1_000) < 560
    spreads = {name: SeedSpread(accuracy=spread, degrees_of_freedom=24) for name in ("a", "b")}
    (pair,) = paired_tests({"a": answers(right), "b": answers(more)}, seed_spread=spreads)
    assert pair.covers_seeds
    assert pair.beyond_chance == beyond
    (pair,) = paired_tests(
        {"a": answers(right), "b": answers(more)}, seed_spread={"a": spreads["a"], "b": None}
    )
    assert (pair.covers_seeds, pair.beyond_faces, pair.beyond_chance) == (False, True, False)


def test_one_model_has_no_pair() -> None:
    assert paired_tests({"a": answers(np.ones(3, bool))}) == []


def test_other_faces_are_refused() -> None:
    one, other = answers(np.ones(4, bool)), answers(np.ones(5, bool))
    with pytest.raises(UserError, match="b was measured on other faces or labels than a: `dvc"):
        paired_tests({"a": one, "b": other})
