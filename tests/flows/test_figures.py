import json
from pathlib import Path

import pytest

from fer_data.stage import UserError
from flows.figures import Change, Figure, changes, read_figures
from tests.flows.sites import evaluation, make_reports, write

METRICS = "reports/evaluate/scratch/metrics.json"


def figure(value: float) -> Figure:
    return Figure(value=value, low=value - 0.05, high=value + 0.05)


def change(now: float, before: float | None, *, role="validation", measure="macro_f1") -> Change:
    then = None if before is None else figure(before)
    return Change("scratch", role, measure, now=figure(now), before=then)


def test_the_figures_are_those_of_the_reported_models(tmp_path: Path) -> None:
    figures = read_figures(make_reports(tmp_path, scratch=0.5))
    assert list(figures) == ["scratch", "ensemble"]
    assert list(figures["scratch"]) == ["validation", "test"]
    assert figures["scratch"]["validation"]["macro_f1"] == figure(0.5)


def test_what_is_not_defined_is_left_out(tmp_path: Path) -> None:
    make_reports(tmp_path)
    measured = evaluation(0.5)
    measured["test"] = measured["test"] | {"macro_f1": {"value": None, "low": None, "high": None}}
    write(tmp_path / METRICS, json.dumps(measured))
    figures = read_figures(tmp_path)
    assert list(figures["scratch"]["test"]) == ["accuracy"]
    assert list(figures["scratch"]["validation"]) == ["accuracy", "macro_f1"]


@pytest.mark.parametrize("text", ["{}", "[]", '{"validation": {"accuracy": {"value": "high"}}}'])
def test_what_is_no_evaluation_is_one_line(tmp_path: Path, text: str) -> None:
    make_reports(tmp_path)
    write(tmp_path / METRICS, text)
    with pytest.raises(
        UserError, match=r"metrics\.json does not hold the figures of an evaluation"
    ):
        read_figures(tmp_path)


@pytest.mark.parametrize("name", ["value", "low", "high"])
def test_a_figure_that_is_no_number_is_refused(tmp_path: Path, name: str) -> None:
    make_reports(tmp_path)
    measured = evaluation(0.5)
    measured["validation"]["macro_f1"][name] = float("nan")
    write(tmp_path / METRICS, json.dumps(measured))
    with pytest.raises(UserError, match="does not hold the figures of an evaluation"):
        read_figures(tmp_path)


@pytest.mark.parametrize("text", ["null", "3", "{}", '["scratch"]', "[" * 100_000])
def test_a_report_that_names_no_models_is_one_line(tmp_path: Path, text: str) -> None:
    make_reports(tmp_path)
    write(tmp_path / "reports/metrics.json", text)
    with pytest.raises(UserError, match=r"metrics\.json (names no models|is not JSON)"):
        read_figures(tmp_path)


@pytest.mark.parametrize(
    ("now", "before", "verdict"),
    [(0.7, None, "new"), (0.76, 0.8, "within"), (0.74, 0.8, "below"), (0.86, 0.8, "above")],
)
def test_the_verdict_is_by_the_published_interval(now, before, verdict) -> None:
    assert change(now, before).verdict == verdict
    assert change(now, before).is_regression == (verdict == "below")


@pytest.mark.parametrize(("role", "measure"), [("test", "macro_f1"), ("validation", "accuracy")])
def test_nothing_else_speaks_against_a_run(role: str, measure: str) -> None:
    assert change(0.1, 0.8, role=role, measure=measure).verdict == "below"
    assert not change(0.1, 0.8, role=role, measure=measure).is_regression


def test_a_change_reads_as_a_line() -> None:
    assert str(change(0.74, 0.8)) == (
        "validation macro-F1 of scratch: 0.8000 -> 0.7400 (-0.0600), below the published interval "
        "0.7500 to 0.8500"
    )
    assert str(change(0.74, None)) == "validation macro-F1 of scratch: 0.7400"


def test_each_of_today_s_figures_has_a_change() -> None:
    now = {name: {"test": {"accuracy": figure(0.5)}} for name in ("scratch", "ensemble")}
    before = {"scratch": {"test": {"accuracy": figure(0.4)}}, "gone": now["scratch"]}
    assert [(one.model, one.verdict) for one in changes(now, before)] == [
        ("scratch", "above"),
        ("ensemble", "new"),
        ("gone", "gone"),
    ]


@pytest.mark.parametrize("now", [{}, {"scratch": {}}, {"scratch": {"validation": {}}}])
def test_a_model_that_is_gone_is_a_regression(now: dict) -> None:
    before = {"scratch": {"validation": {"macro_f1": figure(0.8)}}}
    (lost,) = changes(now, before)
    assert lost.is_regression
    assert lost.difference is None
    assert str(lost) == "validation macro-F1 of scratch: 0.8000 -> gone"
