"""The part of the page that stands beside the paper."""

import json
from pathlib import Path

import pytest

from fer_data.core.schema import TEST
from fer_data.web.html import UNKNOWN
from tests.support.models.model_reports import (
    PAPER,
    model_from,
    page_of,
    text_of,
    write_reports,
)


@pytest.mark.parametrize(
    ("accuracy", "result"),
    [
        (0.5612, "is 1.64 points below the paper's. The paper's value lies outside our interval"),
        (0.5700, "is 0.76 points below the paper's. The paper's value lies inside our interval"),
        (0.6012, "is 2.36 points above the paper's. The paper's value lies outside our interval"),
        (
            0.5776,
            "equals the paper's, 57.76\N{NARROW NO-BREAK SPACE}%. The paper's value lies inside",
        ),
    ],
)
def test_page_says_plainly_how_we_compare_with_the_paper(
    tmp_path: Path, accuracy: float, result: str
) -> None:
    write_reports(tmp_path, test_accuracy=accuracy)
    page = text_of(page_of(model_from(tmp_path))).replace("&#39;", "'")
    assert result in page


@pytest.mark.parametrize(
    ("accuracy", "result"),
    [
        (0.6737, "is 2.53 points above that. The paper's value lies outside our interval"),
        (0.6484, "equals that. The paper's value lies inside our interval"),
    ],
)
def test_a_model_that_the_paper_does_not_have_is_compared_with_its_best(
    tmp_path: Path, accuracy: float, result: str
) -> None:
    write_reports(tmp_path)
    best = {**PAPER, "val_accuracy": 0.6484}
    write_reports(tmp_path, name="resnet50", title="ResNet50", paper=best)
    ours = {"title": "Compact network", "paper": dict.fromkeys(PAPER)}
    write_reports(tmp_path, name="compact", test_accuracy=accuracy, **ours)
    names = ("compact", "scratch", "resnet50")
    page = text_of(page_of(*(model_from(tmp_path, name) for name in names)))
    page = page.replace("&#39;", "'").replace("\n", " ")
    best_of_paper = "its best value here is 64.84\N{NARROW NO-BREAK SPACE}% (ResNet50)."
    assert page.count(best_of_paper) == 1
    after = page.split("The paper does not have this model; ")[1]
    assert after.startswith(f"{best_of_paper} Our test accuracy {result}")


def test_page_does_not_compare_other_faces_with_the_paper(tmp_path: Path) -> None:
    write_reports(tmp_path)
    write_reports(tmp_path, name="resnet50")
    write_reports(tmp_path, name="compact", paper=dict.fromkeys(PAPER))
    names = ("scratch", "resnet50", "compact")
    for name in names:
        file = tmp_path / "evaluate" / name / "metrics.json"
        metrics = json.loads(file.read_text())
        metrics[TEST]["faces"] = 601
        file.write_text(json.dumps(metrics))
    page = text_of(page_of(*(model_from(tmp_path, name) for name in names)))
    assert page.count("Not to be compared") == 1
    assert "ours of 601 others" in page
    assert "points below" not in page


def test_what_the_paper_does_not_say_is_a_dash(tmp_path: Path) -> None:
    write_reports(tmp_path, paper=dict.fromkeys(PAPER))
    page = text_of(page_of(model_from(tmp_path)))
    assert page.count(f"<td>{UNKNOWN}</td>") == 4
    assert 'class="result' not in page


def test_the_training_loss_of_a_taught_model_is_a_dash_since_it_holds_the_teacher_s(
    tmp_path: Path,
) -> None:
    write_reports(tmp_path, paper=dict.fromkeys(PAPER), teacher="compact")
    page = text_of(page_of(model_from(tmp_path)))
    assert page.count(f"<td>{UNKNOWN}</td>") == 5
    assert "weight decay where it has any, and the teacher's part." in page


def test_the_paper_s_metrics_stand_beside_ours(tmp_path: Path) -> None:
    metrics = {"accuracy": 0.7162, "loss": 0.765, "val_accuracy": 0.629, "val_loss": 1.02}
    write_reports(tmp_path, paper=metrics)
    page = text_of(page_of(model_from(tmp_path)))
    assert page.index('<section id="paper">') < page.index('<section id="protocol">')
    table = page.split("</thead>")[1].split("</tbody>")[0]
    space = "\N{NARROW NO-BREAK SPACE}"
    for theirs in (f"71.62{space}%", "0.765", f"62.90{space}%", "1.020"):
        assert f"<td>{theirs}</td>" in table
    for ours in (f"63.21{space}%", "0.987", f"56.12{space}%<small>55.0", "1.123<small>1.103"):
        assert f"<td>{ours}" in table
