import json
from pathlib import Path
from typing import Any

import pytest

from fer_data.stage import UserError
from fer_models.changes import Accepted, changes_since, read_accepted

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

    role = {"accuracy": figure(accuracy), "macro_f1": figure(macro_f1)}
    return {"test": role, "validation": role}


def role(accuracy: float | None, macro_f1: float | None = 0.4) -> dict[str, float | None]:
    return {"accuracy": accuracy, "macro_f1": macro_f1}


def test_each_figure_is_compared_on_validation_and_on_test() -> None:
    before = {"scratch": {"test": role(0.5), "validation": role(0.6)}}
    (changes,) = changes_since(before, {"scratch": evaluation(0.52)}).values()
    assert [(one.role, one.measure, one.within) for one in changes] == [
        ("validation", "accuracy", False),
        ("validation", "macro_f1", True),
        ("test", "accuracy", False),
        ("test", "macro_f1", True),
    ]
    assert [one.points for one in changes] == pytest.approx([-8, 0, 2, 0])


@pytest.mark.parametrize(("before", "within"), [(0.51, True), (0.509, False), (0.53, True)])
def test_the_interval_of_now_says_what_can_be_chance(before: float, within: bool) -> None:
    now = {"scratch": {"test": {"accuracy": {"value": 0.52, "low": 0.51, "high": 0.53}}}}
    now["scratch"]["test"]["macro_f1"] = now["scratch"]["test"]["accuracy"]
    now["scratch"]["validation"] = now["scratch"]["test"]
    (changes,) = changes_since({"scratch": {"test": role(before, None)}}, now).values()
    assert [one.within for one in changes] == [within]


def test_only_models_measured_both_times_are_compared() -> None:
    before = {"gone": {"test": role(0.5)}, "kept": {"test": role(0.5)}}
    found = changes_since(before, {"new": evaluation(0.5), "kept": evaluation(0.5)})
    assert list(found) == ["kept"]
    assert changes_since({}, {"new": evaluation(0.5)}) == {}


def test_a_figure_that_was_or_is_not_defined_is_left_out() -> None:
    before = {"scratch": {"test": role(None, 0.4)}}
    assert changes_since(before, {"scratch": evaluation(0.5, macro_f1=None)}) == {"scratch": []}


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
