import json
from dataclasses import replace
from pathlib import Path

import pytest

from fer_models.reporting.seed_spread import Difference
from flows.pipeline.ui_artifacts import data_summary, evaluation_summary, metrics_table
from flows.publishing.metric_gate import MetricChange, changes
from flows.publishing.run_metrics import read_metrics
from tests.support.flows.report_site import MACRO_F1, make_reports, write


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return make_reports(tmp_path, scratch=0.74)


@pytest.fixture
def moved(workspace: Path, tmp_path: Path) -> list[MetricChange]:
    before = read_metrics(make_reports(tmp_path / "before"))
    tested = {"scratch": Difference(-0.06, -0.1, -0.02, 0.004, covers_seeds=True)}
    return list(changes(read_metrics(workspace), {"scratch": before["scratch"]}, tested))


def test_the_table_has_a_row_a_metric_beside_the_published_one(moved: list[MetricChange]) -> None:
    rows = metrics_table(moved)
    assert len(rows) == len(MACRO_F1) * 2 * 2
    assert rows[0]["result"] == "worse"
    assert rows[1] == {
        "model": "scratch",
        "faces": "validation",
        "metric": "macro-F1",
        "published": 0.8,
        "now": 0.74,
        "difference": -0.06,
        "published interval": "0.7500 to 0.8500",
        "result": "below",
    }
    assert rows[-1]["model"] == "ensemble"
    assert rows[-1]["difference"] is None
    assert rows[-1]["result"] == "new"


def test_the_summary_has_a_row_a_model_and_says_what_is_worse(moved: list[MetricChange]) -> None:
    text = evaluation_summary(moved, site="s3://b/runs/two", outcome="two is stored")
    lines = text.splitlines()
    assert lines[2] == (
        "| model | validation accuracy | validation macro-F1 | test accuracy | test macro-F1 |"
    )
    assert lines[3] == "| --- | --- | --- | --- | --- |"
    assert lines[4].startswith(
        "| scratch | 0.7500 (0.7000 to 0.8000) | 0.7400 (0.6900 to 0.7900) |"
    )
    assert "- validation accuracy of scratch: 0.8100 -> 0.7500 (-0.0600, 95 % interval" in text
    assert "two is stored." in lines
    waits = evaluation_summary(moved, site="", outcome="", waits=["1 decision is not yet applied"])
    assert "1 decision is not yet applied." in waits.splitlines()
    assert "[The report](s3://b/runs/two/index.html)" in lines


def test_a_metric_that_is_not_defined_says_so(moved: list[MetricChange]) -> None:
    text = evaluation_summary([replace(moved[0], tested=None)], site="s3://b", outcome="")
    assert text.splitlines()[4].endswith("| not defined | not defined | not defined |")
    assert "Worse" not in text


def test_the_data_s_summary_names_what_is_not_met(workspace: Path) -> None:
    text = data_summary(workspace, site="s3://b")
    assert "3,000 faces, of which 2 wait in the review queue. 1 of 2 expectations are met." in text
    assert "| No face stands twice | warning | 3 |" in text
    assert "Every class is known" not in text
    assert "[The report](s3://b/data_quality/index.html)" in text


def test_only_faces_without_a_decision_wait(workspace: Path) -> None:
    with (workspace / "data/relabels.csv").open("a") as file:
        file.write(f"{'a' * 64},happy,sad,ann,2026-01-31T10:00:00Z,\n")
    assert "of which 1 wait in the review queue" in data_summary(workspace, site="s3://b")


def test_data_that_meets_all_says_only_that(workspace: Path) -> None:
    write(workspace / "reports/validate/summary.json", '{"faces": 7, "expectations": []}')
    assert "0 of 0 expectations are met." in data_summary(workspace, site="s3://b")
    assert "Not met" not in data_summary(workspace, site="s3://b")


def test_names_are_neither_html_nor_further_cells(workspace: Path) -> None:
    file = workspace / "reports/validate/summary.json"
    summary = json.loads(file.read_text())
    summary["expectations"][0]["meaning"] = (
        "As <img src=x onerror=alert(1)> | [ann](http://a)\n said"
    )
    file.write_text(json.dumps(summary))
    text = data_summary(workspace, site="s3://b")
    assert (
        r"| As &lt;img src=x onerror=alert(1)&gt; \| \[ann\](http://a) said | warning | 3 |" in text
    )
