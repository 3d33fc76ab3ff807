import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fer_data.core.errors import UserError
from fer_models.reporting.report_settings import SeedSpread
from fer_models.reporting.seed_spread import Difference
from flows.publishing.metric_gate import MetricChange, accuracy_against, changes
from flows.publishing.run_metrics import MetricValue, outcomes_by_model, read_metrics
from tests.support.flows.report_site import evaluation, make_reports, predictions, write

METRICS = "reports/evaluate/scratch/metrics.json"


def metric_of(value: float) -> MetricValue:
    return MetricValue(value=value, low=value - 0.05, high=value + 0.05)


def change(
    now: float, before: float | None, *, split="validation", metric="macro_f1"
) -> MetricChange:
    then = None if before is None else metric_of(before)
    return MetricChange("scratch", split, metric, now=metric_of(now), before=then)


def test_the_metrics_are_those_of_the_reported_models(tmp_path: Path) -> None:
    metrics = read_metrics(make_reports(tmp_path, scratch=0.5))
    assert list(metrics) == ["scratch", "ensemble"]
    assert list(metrics["scratch"]) == ["validation", "test"]
    assert metrics["scratch"]["validation"]["macro_f1"] == metric_of(0.5)


def test_what_is_not_defined_is_left_out(tmp_path: Path) -> None:
    make_reports(tmp_path)
    measured = evaluation(0.5)
    measured["test"] = measured["test"] | {"macro_f1": {"value": None, "low": None, "high": None}}
    write(tmp_path / METRICS, json.dumps(measured))
    metrics = read_metrics(tmp_path)
    assert list(metrics["scratch"]["test"]) == ["accuracy"]
    assert list(metrics["scratch"]["validation"]) == ["accuracy", "macro_f1"]


@pytest.mark.parametrize("text", ["{}", "[]", '{"validation": {"accuracy": {"value": "high"}}}'])
def test_what_is_no_evaluation_is_one_line(tmp_path: Path, text: str) -> None:
    make_reports(tmp_path)
    write(tmp_path / METRICS, text)
    with pytest.raises(
        UserError, match=r"metrics\.json does not hold the metrics of an evaluation"
    ):
        read_metrics(tmp_path)


@pytest.mark.parametrize("name", ["value", "low", "high"])
def test_a_metric_that_is_no_number_is_refused(tmp_path: Path, name: str) -> None:
    make_reports(tmp_path)
    measured = evaluation(0.5)
    measured["validation"]["macro_f1"][name] = float("nan")
    write(tmp_path / METRICS, json.dumps(measured))
    with pytest.raises(UserError, match="does not hold the metrics of an evaluation"):
        read_metrics(tmp_path)


@pytest.mark.parametrize(
    "wrong", [{"value": 1.01}, {"value": -0.1}, {"high": 1.5}, {"low": 0.7, "high": 0.6}]
)
def test_a_metric_that_is_no_fraction_within_order_is_refused(tmp_path: Path, wrong: dict) -> None:
    make_reports(tmp_path)
    measured = evaluation(0.5)
    measured["validation"]["macro_f1"] |= wrong
    write(tmp_path / METRICS, json.dumps(measured))
    with pytest.raises(UserError, match="does not hold the metrics of an evaluation"):
        read_metrics(tmp_path)


@pytest.mark.parametrize("text", ["null", "3", "{}", '["scratch"]', "[" * 100_000])
def test_a_report_that_names_no_models_is_one_line(tmp_path: Path, text: str) -> None:
    make_reports(tmp_path)
    write(tmp_path / "reports/metrics.json", text)
    with pytest.raises(UserError, match=r"metrics\.json (names no models|is not JSON)"):
        read_metrics(tmp_path)


@pytest.mark.parametrize(
    ("now", "before", "result"),
    [(0.7, None, "new"), (0.76, 0.8, "within"), (0.74, 0.8, "below"), (0.86, 0.8, "above")],
)
def test_what_is_not_tested_lies_by_the_published_interval(now, before, result) -> None:
    assert change(now, before).result == result
    assert not change(now, before).is_regression


@pytest.mark.parametrize(
    ("value", "p", "result"),
    [(-0.06, 0.05, "worse"), (-0.06, 0.06, "chance"), (0.06, 0.05, "better")],
)
def test_the_result_on_accuracy_is_by_what_chance_explains(value, p, result) -> None:
    tested = Difference(value, value - 0.05, value + 0.05, p / 2, covers_seeds=True)
    one = replace(change(0.8 + value, 0.8, metric="accuracy"), tested=tested, p_adjusted=p)
    assert one.result == result
    assert one.is_regression == (result == "worse")
    assert not replace(one, split="test").is_regression


def test_retrainings_that_change_nothing_are_held_back_less_than_one_time_in_twenty() -> None:
    """Each training's accuracy is drawn anew, as seeds do, for three models at once."""
    generator = np.random.default_rng(0)
    models = ("scratch", "compact", "ensemble")
    spread = SeedSpread(accuracy=0.013, degrees_of_freedom=24)
    known: dict[str, SeedSpread | None] = dict.fromkeys(models, spread)
    num_tries, held_back = 200, {"faces": 0, "both": 0}
    faces = predictions(0.0)
    for _ in range(num_tries):
        runs: list[dict[str, pd.DataFrame]] = []
        hard = generator.normal(size=1000)  # faces that are hard for one are hard for the other
        for _ in range(2):
            runs.append({})
            for model in models:
                bar = 0.15 + generator.normal(scale=0.037)
                right = hard + generator.normal(scale=0.5, size=1000) < bar
                rows = faces.assign(prediction=np.where(right, "happy", "sad"))
                runs[-1][model] = rows
        before, now = (
            {
                model: {"validation": {"accuracy": accuracy_of(rows)}}
                for model, rows in trained.items()
            }
            for trained in runs
        )
        kept = outcomes_by_model(runs[0])
        for kind, seed_spread in (("faces", {}), ("both", known)):
            tested = accuracy_against(
                before,
                kept,
                now=now,
                predictions=runs[1],
                seed_spread=seed_spread,
            )
            held_back[kind] += any(one.is_regression for one in changes(now, before, tested))
    assert held_back["faces"] > 0.1 * num_tries
    assert 0 < held_back["both"] <= 0.05 * num_tries


def accuracy_of(rows: pd.DataFrame) -> MetricValue:
    accuracy = float((rows["label"] == rows["prediction"]).mean())
    half = 1.96 * (accuracy * (1 - accuracy) / len(rows)) ** 0.5
    return MetricValue(value=accuracy, low=accuracy - half, high=accuracy + half)


def test_a_change_reads_as_a_line() -> None:
    assert str(change(0.74, 0.8)) == (
        "validation macro-F1 of scratch: 0.8000 -> 0.7400 (-0.0600), below the published interval "
        "0.7500 to 0.8500"
    )
    assert str(change(0.74, None)) == "validation macro-F1 of scratch: 0.7400"


def test_each_of_today_s_metrics_has_a_change() -> None:
    now = {name: {"test": {"accuracy": metric_of(0.5)}} for name in ("scratch", "ensemble")}
    before = {"scratch": {"test": {"accuracy": metric_of(0.4)}}, "gone": now["scratch"]}
    assert [(one.model, one.result) for one in changes(now, before)] == [
        ("scratch", "above"),
        ("ensemble", "new"),
        ("gone", "gone"),
    ]


@pytest.mark.parametrize("now", [{}, {"scratch": {}}, {"scratch": {"validation": {}}}])
def test_a_model_that_is_gone_is_a_regression(now: dict) -> None:
    before = {"scratch": {"validation": {"macro_f1": metric_of(0.8)}}}
    (lost,) = changes(now, before)
    assert lost.is_regression
    assert lost.difference is None
    assert str(lost) == "validation macro-F1 of scratch: 0.8000 -> gone"
