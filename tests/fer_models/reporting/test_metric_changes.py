import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fer_data.core.errors import UserError
from fer_models.reporting.metric_changes import Accepted, Change, changes_since, read_accepted
from fer_models.reporting.outcomes import Outcomes, outcomes_of, right_on
from fer_models.reporting.report_settings import SeedSpread

ACCEPTED = {
    "by": "ann",
    "at": "2026-01-31T10:00:00Z",
    "num_decisions": 12,
    "metrics": {"scratch": {"test": {"accuracy": 0.5, "macro_f1": 0.4, "macro_auroc": None}}},
}


def evaluation(accuracy: float, macro_f1: float | None = 0.4) -> dict[str, Any]:
    def figure(value: float | None) -> dict[str, float | None]:
        bounds = (None, None) if value is None else (value - 0.01, value + 0.01)
        return dict(zip(("value", "low", "high"), (value, *bounds), strict=True))

    split = {"accuracy": figure(accuracy), "macro_f1": figure(macro_f1)}
    return {"test": split, "validation": split}


def split(accuracy: float | None, macro_f1: float | None = 0.4) -> dict[str, float | None]:
    return {"accuracy": accuracy, "macro_f1": macro_f1}


def outcomes_then(right: np.ndarray) -> dict[str, Outcomes]:
    return {name: outcomes_of(answers(name, right)) for name in ("validation", "test")}


def answers(split_name: str, right: np.ndarray) -> pd.DataFrame:
    columns = {
        "path": [f"{number}.jpg" for number in range(len(right))],
        "split": split_name,
        "label": "sad",
        "prediction": np.where(right, "sad", "happy"),
    }
    return pd.DataFrame(columns)


def both_splits(right: np.ndarray) -> pd.DataFrame:
    return pd.concat([answers(name, right) for name in ("validation", "test")])


def changes_of(
    before: np.ndarray,
    now: np.ndarray,
    *,
    spread: SeedSpread | None = None,
    outcomes: bool = True,
    **accepted: Any,
) -> list[Change]:
    """Of `scratch`, whose predictions of then and now are those."""
    figures = split(float(before.mean()))
    kept = {"scratch": outcomes_then(before)} if outcomes else {}
    metrics = {"scratch": {"test": figures, "validation": figures}}
    then = Accepted(by="ann", at="", num_decisions=1, **{"metrics": metrics, "outcomes": kept})
    found = changes_since(
        then.model_copy(update=accepted),
        {"scratch": evaluation(float(now.mean()))},
        {"scratch": both_splits(now)},
        seed_spread={"scratch": spread},
    )
    return found["scratch"]


RIGHT = np.arange(7_000) < 4_000
MORE = np.arange(7_000) < 4_091  # 1.3 points more: what another seed of `scratch` does
MUCH_MORE = np.arange(7_000) < 4_420  # 6 points


def test_each_metric_is_compared_on_validation_and_on_test() -> None:
    changes = changes_of(RIGHT, MORE)
    assert [(one.split, one.metric, one.difference is None) for one in changes] == [
        ("validation", "accuracy", False),
        ("validation", "macro_f1", True),
        ("test", "accuracy", False),
        ("test", "macro_f1", True),
    ]
    assert [one.points for one in changes] == pytest.approx([1.3, 0, 1.3, 0])


def test_what_another_seed_does_is_not_called_a_change() -> None:
    spread = SeedSpread(accuracy=0.013, degrees_of_freedom=24)
    (accuracy, *_) = changes_of(RIGHT, MORE, spread=spread)
    assert accuracy.low > accuracy.before  # today's interval over faces would have it one
    assert not accuracy.beyond_chance
    (accuracy, *_) = changes_of(RIGHT, MUCH_MORE, spread=spread)
    assert accuracy.beyond_chance


def test_without_the_spread_of_seeds_nothing_is_called_beyond_chance() -> None:
    (accuracy, *_) = changes_of(RIGHT, MUCH_MORE)
    assert accuracy.difference is not None
    assert (accuracy.beyond_faces, accuracy.beyond_chance) == (True, False)


def test_without_the_predictions_of_then_nothing_is_claimed() -> None:
    spread = SeedSpread(accuracy=0.001, degrees_of_freedom=24)
    for one in changes_of(RIGHT, MUCH_MORE, spread=spread, outcomes=False):
        assert (one.difference, one.beyond_faces, one.beyond_chance) == (None, False, False)


def test_other_labels_or_faces_are_not_paired() -> None:
    now = both_splits(MORE)
    relabeled = now.assign(label=["happy", *now["label"][1:]])
    then = outcomes_then(RIGHT)["validation"]
    for other in (relabeled[:7_000], now[:6_999]):
        assert right_on(then, other) is None
    found = right_on(then, now[:7_000])
    assert found is not None
    np.testing.assert_array_equal(found, RIGHT)
    assert right_on(then.model_copy(update={"right": "AAAA"}), now[:7_000]) is None


def test_only_models_measured_both_times_are_compared() -> None:
    metrics = {"gone": {"test": split(0.5)}, "kept": {"test": split(0.5)}}
    then = Accepted.model_validate(ACCEPTED | {"metrics": metrics})
    predictions = {name: both_splits(RIGHT) for name in ("new", "kept")}
    now = {"new": evaluation(0.5), "kept": evaluation(0.5)}
    assert list(changes_since(then, now, predictions, seed_spread={})) == ["kept"]


def test_a_metric_that_was_or_is_not_defined_is_left_out() -> None:
    then = Accepted.model_validate(ACCEPTED | {"metrics": {"scratch": {"test": split(None, 0.4)}}})
    now = {"scratch": evaluation(0.5, macro_f1=None)}
    found = changes_since(then, now, {"scratch": both_splits(RIGHT)}, seed_spread={})
    assert found == {"scratch": []}


def test_null_says_that_nothing_was_accepted(tmp_path: Path) -> None:
    file = tmp_path / "metrics.json"
    file.write_text("null\n")
    assert read_accepted(file) is None


def test_what_was_accepted_is_read(tmp_path: Path) -> None:
    file = tmp_path / "metrics.json"
    file.write_text(json.dumps(ACCEPTED))
    assert read_accepted(file) == Accepted.model_validate(ACCEPTED)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", r"metrics\.json: invalid JSON"),
        ("", r"metrics\.json: invalid JSON"),
        ("[]", "should be an object"),
        (json.dumps(ACCEPTED | {"by": 3}), "by: input should be a valid string"),
        (json.dumps(ACCEPTED | {"metrics": {"scratch": 1}}), r"metrics\.scratch: input should be"),
        (json.dumps({"by": "ann"}), "at: field required"),
        (json.dumps(ACCEPTED | {"note": ""}), "note: extra inputs are not permitted"),
        ("\xff", "invalid"),
    ],
)
def test_a_broken_file_is_named_with_the_way_back(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "metrics.json"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(UserError, match=message) as caught:
        read_accepted(file)
    assert f"`git checkout {file}` brings it back" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named_with_the_way_back(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"metrics\.json is missing: `git checkout"):
        read_accepted(tmp_path / "metrics.json")
