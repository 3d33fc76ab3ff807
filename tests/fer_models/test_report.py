import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fer_data.page import UNKNOWN
from fer_data.params import SettingsError, read_settings
from fer_data.schema import TEST, VALIDATION
from fer_data.stage import UserError
from fer_models import report
from fer_models.report import ModelReport, ReportSettings, compact_metrics, read_model, report_page

EXPRESSIONS = ("angry", "fear", "happy", "neutral", "sad", "surprise")
PAPER = {"accuracy": None, "loss": None, "val_accuracy": 0.5776, "val_loss": None}


def measured(accuracy: float, *, faces: int, seed: int) -> dict[str, Any]:
    generator = np.random.default_rng(seed)
    matrix = generator.multinomial(faces // 36, np.full(6, 1 / 6), size=6)
    matrix[np.diag_indices(6)] += faces // 9

    def figure(value: float, half: float) -> dict[str, float]:
        return {"value": value, "low": value - half, "high": value + half}

    per_class = {
        name: {
            "precision": 0.5,
            "recall": 0.6,
            "f1": 0.545,
            "auroc": 0.75 + 0.04 * number,
            "faces": 7,
        }
        for number, name in enumerate(EXPRESSIONS)
    }
    return {
        "faces": faces,
        "accuracy": figure(accuracy, 0.011),
        "loss": figure(1.123, 0.02),
        "macro_f1": figure(0.534, 0.012),
        "macro_auroc": figure(0.861, 0.006),
        "calibration_error": figure(0.041, 0.009),
        "per_class": per_class,
        "confusion_matrix": matrix.tolist(),
    }


def write_reports(
    folder: Path, *, name: str = "scratch", test_accuracy: float = 0.5612, **summary: Any
) -> None:
    train, evaluate = folder / "train" / name, folder / "evaluate" / name
    train.mkdir(parents=True)
    evaluate.mkdir(parents=True)
    epochs = np.arange(1, 13)
    rising = 1 - np.exp(-epochs / 4)
    columns = {
        "epoch": epochs,
        "accuracy": 0.2 + 0.42 * rising,
        "loss": 1.8 - 0.8 * rising,
        "val_accuracy": 0.25 + 0.31 * rising,
        "val_loss": 1.75 - 0.6 * rising + 0.01 * epochs,
        "seconds": 12.5,
    }
    pd.DataFrame(columns).to_csv(train / "history.csv", index=False)
    values = {
        "model": name,
        "title": "Eleven-layer CNN from scratch",
        "parameters": 322_118,
        "epochs": 12,
        "kept_epoch": 10,
        "seconds": 930.0,
        "seed": 0,
        "train_faces": 24_955,
        "validation_faces": 2_781,
        "training": {"accuracy": 0.6321, "loss": 0.987},
        "paper": PAPER,
        "settings": {"epochs": 12, "optimizer": "rmsprop", "head": {"units": [128, 6]}},
    }
    (train / "summary.json").write_text(json.dumps(values | summary))
    roles = {
        VALIDATION: measured(0.5701, faces=2_781, seed=1),
        TEST: measured(test_accuracy, faces=7_067, seed=2),
    }
    (evaluate / "metrics.json").write_text(json.dumps(roles))
    rates = np.linspace(0, 1, 50)
    curves = [
        pd.DataFrame(
            {
                "role": role,
                "expression": expression,
                "false_positive_rate": rates,
                "true_positive_rate": rates ** (1 / (number + 3)),
            }
        )
        for role in (VALIDATION, TEST)
        for number, expression in enumerate(EXPRESSIONS)
    ]
    pd.concat(curves).to_csv(evaluate / "roc.csv", index=False)


def model_from(folder: Path, name: str = "scratch") -> ModelReport:
    return read_model(folder / "train", folder / "evaluate", name=name)


def text_of(page: str) -> str:
    return re.sub(r"[ \n]+", " ", page)


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
        }
    )
    assert metrics["scratch"][VALIDATION]["accuracy"] == 0.5701


@pytest.mark.parametrize(
    ("accuracy", "verdict"),
    [
        (0.5612, "is 1.64 points below the paper's. The paper's figure lies outside our interval"),
        (0.5700, "is 0.76 points below the paper's. The paper's figure lies inside our interval"),
        (0.6012, "is 2.36 points above the paper's. The paper's figure lies outside our interval"),
        (
            0.5776,
            "equals the paper's, 57.76\N{NARROW NO-BREAK SPACE}%. The paper's figure lies inside",
        ),
    ],
)
def test_page_says_plainly_how_we_compare_with_the_paper(
    tmp_path: Path, accuracy: float, verdict: str
) -> None:
    write_reports(tmp_path, test_accuracy=accuracy)
    page = text_of(report_page([model_from(tmp_path)])).replace("&#39;", "'")
    assert verdict in page


def test_page_does_not_compare_other_faces_with_the_paper(tmp_path: Path) -> None:
    write_reports(tmp_path)
    file = tmp_path / "evaluate" / "scratch" / "metrics.json"
    metrics = json.loads(file.read_text())
    metrics[TEST]["faces"] = 601
    file.write_text(json.dumps(metrics))
    page = text_of(report_page([model_from(tmp_path)]))
    assert "Not to be compared" in page
    assert "ours of 601 others" in page
    assert "points below" not in page


def test_what_the_paper_does_not_say_is_a_dash(tmp_path: Path) -> None:
    write_reports(tmp_path, paper=dict.fromkeys(PAPER))
    page = text_of(report_page([model_from(tmp_path)]))
    assert page.count(f"<td>{UNKNOWN}</td>") == 4
    assert 'class="verdict' not in page


def test_page_shows_the_figures_and_says_where_they_were_measured(tmp_path: Path) -> None:
    write_reports(tmp_path)
    page = text_of(report_page([model_from(tmp_path)]))
    for text in ("7,067 Testing faces", "2,781 validation faces", "24,955", "322,118", "15.5"):
        assert text in page
    assert "No choice is made on it" in page
    assert "56.1\N{NARROW NO-BREAK SPACE}%" in page
    assert f"55.0 {UNKNOWN} 57.2\N{NARROW NO-BREAK SPACE}%" in page
    assert "<code>head.units</code>" in page
    assert "<code>[128, 6]</code>" in page
    assert page.count("<svg") == 4


def test_models_stand_in_the_given_order_and_validation_marks_the_best(tmp_path: Path) -> None:
    write_reports(tmp_path, name="scratch", test_accuracy=0.7, title="First")
    write_reports(tmp_path, name="compact", title="Second")
    second = model_from(tmp_path, "compact")
    second.measured[VALIDATION]["accuracy"]["value"] = 0.8
    page = text_of(report_page([model_from(tmp_path), second]))
    assert page.index("<h2>First</h2>") < page.index("<h2>Second</h2>")
    assert page.count("best on validation") == 1
    assert "compact · best on validation" in page


def test_page_fetches_nothing_and_escapes_names(tmp_path: Path) -> None:
    write_reports(tmp_path, title="<script>alert(1)</script>", settings={"<b>": "<i>"})
    page = report_page([model_from(tmp_path)])
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "&lt;b&gt;" in page
    assert "<i>" not in page
    assert "<img" not in page
    assert 'src="' not in page
    assert "http" not in page.replace('xmlns="http://www.w3.org/2000/svg"', "").replace(
        'xmlns:xlink="http://www.w3.org/1999/xlink"', ""
    )


def test_ids_are_unique_on_the_page(tmp_path: Path) -> None:
    write_reports(tmp_path, name="scratch")
    write_reports(tmp_path, name="compact", test_accuracy=0.6)
    models = [model_from(tmp_path), model_from(tmp_path, "compact")]
    ids = [part.split('"')[0] for part in report_page(models).split(' id="')[1:]]
    assert len(ids) > 20
    assert len(ids) == len(set(ids))


def test_the_same_reports_give_the_same_page(tmp_path: Path) -> None:
    write_reports(tmp_path)
    assert report_page([model_from(tmp_path)]) == report_page([model_from(tmp_path)])


@pytest.mark.parametrize(
    "file",
    [
        "train/scratch/history.csv",
        "train/scratch/summary.json",
        "evaluate/scratch/metrics.json",
        "evaluate/scratch/roc.csv",
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
    flags = "--train train --evaluate evaluate --page out/index.html --metrics out/metrics.json"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["report", *flags.split()])
    report.main()
    metrics = json.loads((tmp_path / "out/metrics.json").read_text())
    assert metrics["scratch"]["test"]["accuracy"] == 0.5612
    assert (tmp_path / "out/index.html").read_text().startswith("<!DOCTYPE html>")


def test_no_models_is_refused(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("report: {models: []}")
    with pytest.raises(SettingsError, match=r"'report\.models': got \[\]"):
        read_settings(ReportSettings, "report", file=tmp_path / "params.yaml")
