import base64
import dataclasses
import html
import json
import sys
from pathlib import Path

import pytest

from fer_data.core.errors import UserError
from fer_data.core.schema import TEST, VALIDATION
from fer_data.stages.settings import SettingsError, read_settings
from fer_data.web.html import UNKNOWN
from fer_models.reporting import report
from fer_models.reporting.report import ReportSettings, compact_metrics
from fer_models.reporting.report_settings import SeedSpread
from tests.support.models.model_reports import (
    accepted_when,
    model_from,
    page_of,
    text_of,
    write_reports,
)


def test_metrics_hold_each_role_with_its_interval(tmp_path: Path) -> None:
    write_reports(tmp_path)
    metrics = compact_metrics([model_from(tmp_path)])
    assert list(metrics["scratch"]) == [TEST, VALIDATION]
    assert metrics["scratch"][TEST] == pytest.approx(
        {
            "accuracy": 0.5612,
            "accuracy_low": 0.5502,
            "accuracy_high": 0.5722,
            "loss": 1.123,
            "macro_f1": 0.534,
            "macro_auroc": 0.861,
            "calibration_error": 0.041,
            "accuracy_without_duplicates": 0.5387,
        }
    )
    assert metrics["scratch"][VALIDATION]["accuracy"] == 0.5701


SPREAD = SeedSpread(accuracy=0.005, degrees_of_freedom=24)


@pytest.mark.parametrize(
    ("other", "spread", "result"),
    [
        (0.6, SPREAD, "<strong>Beyond chance:</strong> Second over First."),
        (0.5712, SPREAD, "<strong>No difference is beyond chance:</strong>"),  # a point
        (
            0.5712,
            None,
            "<strong>Beyond the choice of faces:</strong> Second over First; as trained",
        ),
        (0.5613, None, "<strong>No difference is beyond chance:</strong>"),
    ],
)
def test_page_says_which_models_differ_by_more_than_chance(
    tmp_path: Path, other: float, spread: SeedSpread | None, result: str
) -> None:
    write_reports(tmp_path, title="First")
    write_reports(tmp_path, name="compact", test_accuracy=other, title="Second")
    models = model_from(tmp_path), model_from(tmp_path, "compact")
    page = text_of(page_of(*models, seed_spread={"scratch": spread, "compact": spread}))
    paired = page.split('<section id="paired">')[1].split("</section>")[0]
    assert result in paired
    assert "on the same 7,067 Testing faces" in paired
    assert "among the 1 pair" in paired


def test_a_single_model_is_tested_against_none(tmp_path: Path) -> None:
    write_reports(tmp_path)
    assert 'id="paired"' not in page_of(model_from(tmp_path))


def test_page_shows_the_metrics_and_says_where_they_were_measured(tmp_path: Path) -> None:
    write_reports(tmp_path)
    page = text_of(page_of(model_from(tmp_path)))
    for text in ("7,067 Testing faces", "2,781 validation faces", "24,955", "322,118", "15.5"):
        assert text in page
    assert "No choice is made on it" in page
    assert "56.1\N{NARROW NO-BREAK SPACE}%" in page
    assert f"55.0 {UNKNOWN} 57.2\N{NARROW NO-BREAK SPACE}%" in page
    assert "<code>head.units</code>" in page
    assert "<code>[128, 6]</code>" in page
    assert page.count("<svg") == 2 + 7


def test_accuracy_without_duplicates_stands_beside_the_headline_and_the_protocol_is_named(
    tmp_path: Path,
) -> None:
    write_reports(tmp_path)
    page = text_of(page_of(model_from(tmp_path)))
    assert "Protocol: leak-free: exact and near-duplicates" in page.split("<nav")[0]
    section = page.split('<section id="protocol">')[1].split("</section>")[0]
    assert "leak-free" in section
    comparison = page.split('<section id="comparison">')[1].split("</section>")[0]
    assert '<th scope="col">Without<br>duplicates</th>' in comparison
    space = "\N{NARROW NO-BREAK SPACE}"
    assert f"<td>53.9{space}%<small>52.7 {UNKNOWN} 55.1{space}%</small></td>" in comparison
    assert "the 6,257 Testing faces that have none in Training" in comparison
    cards = page.split('<section id="model-1">')[1]
    assert "6,257 Testing faces without one in Training" in cards


def test_models_stand_in_the_given_order_and_validation_marks_the_best(tmp_path: Path) -> None:
    write_reports(tmp_path, name="scratch", test_accuracy=0.7, title="First")
    write_reports(tmp_path, name="compact", title="Second")
    second = model_from(tmp_path, "compact")
    second.measured[VALIDATION]["accuracy"]["value"] = 0.8
    page = text_of(page_of(model_from(tmp_path), second))
    assert page.index("<h2>First</h2>") < page.index("<h2>Second</h2>")
    assert page.count("best on validation") == 1
    assert "compact · best on validation" in page


def test_page_fetches_nothing_and_escapes_names(tmp_path: Path) -> None:
    write_reports(tmp_path, title="<script>alert(1)</script>", settings={"<b>": "<i>"})
    page = page_of(model_from(tmp_path))
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "&lt;b&gt;" in page
    assert "<i>" not in page
    assert page.count("<img") == page.count('<img src="data:image/png;base64,') == 24
    assert page.count('src="') == 24
    assert "http" not in page.replace('xmlns="http://www.w3.org/2000/svg"', "").replace(
        'xmlns:xlink="http://www.w3.org/1999/xlink"', ""
    )


def test_ids_are_unique_on_the_page(tmp_path: Path) -> None:
    write_reports(tmp_path, name="scratch")
    write_reports(tmp_path, name="compact", test_accuracy=0.6)
    models = [model_from(tmp_path), model_from(tmp_path, "compact")]
    ids = [part.split('"')[0] for part in page_of(*models).split(' id="')[1:]]
    assert len(ids) > 20
    assert len(ids) == len(set(ids))


def test_the_same_reports_give_the_same_page(tmp_path: Path) -> None:
    write_reports(tmp_path)
    assert page_of(model_from(tmp_path)) == page_of(model_from(tmp_path))


@pytest.mark.parametrize(
    "file",
    [
        "train/scratch/history.csv",
        "train/scratch/summary.json",
        "evaluate/scratch/metrics.json",
        "evaluate/scratch/cost.json",
        "evaluate/scratch/predictions.parquet",
        "evaluate/scratch/mistakes.parquet",
        "evaluate/scratch/model_card.md",
        "evaluate/scratch/roc.csv",
        "evaluate/scratch/precision_recall.csv",
    ],
)
def test_a_missing_report_is_named(tmp_path: Path, file: str) -> None:
    write_reports(tmp_path)
    (tmp_path / file).unlink()
    with pytest.raises(UserError, match=rf"{file} is missing: `dvc repro` makes it"):
        model_from(tmp_path)


def test_a_report_that_is_no_json_is_named(tmp_path: Path) -> None:
    write_reports(tmp_path)
    (tmp_path / "train/scratch/summary.json").write_text("{")
    with pytest.raises(UserError, match=r"summary\.json is not JSON .* `dvc repro`"):
        model_from(tmp_path)


def test_main_writes_page_and_metrics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_reports(tmp_path)
    (tmp_path / "params.yaml").write_text("report: {models: [scratch]}")
    (tmp_path / "accepted.json").write_text(accepted_when(0.5).model_dump_json())
    mark = {"sha256": "ab12cd34" * 8, "lines": 1234}
    (tmp_path / "curated.json").write_text(json.dumps({"decisions": mark}))
    (tmp_path / "votes.csv").write_text("pixel_hash\n")
    flags = (
        "--train train --evaluate evaluate --accepted accepted.json --curated curated.json "
        "--votes votes.csv --page out/index.html --metrics out/metrics.json"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["report", *flags.split()])
    report.main()
    metrics = json.loads((tmp_path / "out/metrics.json").read_text())
    assert metrics["scratch"]["test"]["accuracy"] == 0.5612
    page = (tmp_path / "out/index.html").read_text(encoding="utf-8")
    assert page == page_of(model_from(tmp_path), accepted=accepted_when(0.5), decisions=mark)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (1234, "with the <strong>1,234 lines of decisions</strong> that"),
        (1, "with the <strong>1 line of decisions</strong> that"),
        (0, "learned from labels as given: there were no decisions"),
        (None, None),
    ],
)
def test_the_page_says_which_decisions_the_models_learned_from(tmp_path, lines, words) -> None:
    write_reports(tmp_path)
    mark = None if lines is None else {"sha256": "ab12cd34" * 8, "lines": lines}
    page = text_of(page_of(model_from(tmp_path), decisions=mark))
    assert ("Decisions made since are not in any metric" in page) == (words is not None)
    assert words is None or words in page
    assert ("SHA-256 <code>ab12cd34</code>" in page) == bool(lines)


def test_no_models_is_refused(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("report: {models: []}")
    with pytest.raises(SettingsError, match=r"'report\.models': got \[\]"):
        read_settings(ReportSettings, "report", file=tmp_path / "params.yaml")


def test_page_shows_the_mistakes_that_were_made_with_confidence(tmp_path: Path) -> None:
    write_reports(tmp_path)
    model = model_from(tmp_path)
    page = text_of(page_of(model))
    sure = page.split("Sure, and wrong</h3>")[1].split("<h3>")[0]
    space = "\N{NARROW NO-BREAK SPACE}"
    assert "The 24 Testing faces" in sure
    assert f"<b>happy, 99.0{space}%</b>labeled sad, 0.4{space}%" in sure
    faultless = dataclasses.replace(model, mistakes=model.mistakes.head(0))
    assert "It contradicts no given label" in page_of(faultless)


def test_page_says_what_a_model_costs_and_on_which_machine(tmp_path: Path) -> None:
    write_reports(tmp_path)
    cost = text_of(page_of(model_from(tmp_path))).split('<section id="cost">')[1]
    for text in ("322,118", "<td>1.3</td>", "<td>12.3</td>", "<td>0.57</td>"):
        assert text in cost
    assert "a measurement of one machine, Example 9000, 2 threads, and" in cost
    assert "Of a batch of 128: all Testing faces" in cost


def test_page_shows_the_card_and_gives_it_as_a_file(tmp_path: Path) -> None:
    write_reports(tmp_path)
    model = model_from(tmp_path)
    page = page_of(model)
    shown = page.split('<pre class="text">')[1].split("</pre>")[0]
    assert html.unescape(shown) == model.card
    saved = page.split('href="data:text/markdown;base64,')[1].split('"')[0]
    assert base64.b64decode(saved).decode() == model.card
    assert 'download="scratch-model_card.md"' in page
