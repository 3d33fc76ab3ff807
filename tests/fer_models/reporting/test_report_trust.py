"""What the page about the models says of how far a model's answers can be trusted."""

import json
from pathlib import Path

from tests.support.models.model_reports import model_from, page_of, text_of, write_reports

SPACE = "\N{NARROW NO-BREAK SPACE}"


def trust_of(folder: Path, **changes: float) -> str:
    write_reports(folder)
    file = folder / "evaluate" / "scratch" / "metrics.json"
    metrics = json.loads(file.read_text())
    for name, value in changes.items():
        step, _, measure = name.partition("_")
        metrics["calibration"][step][measure]["value"] = value
    file.write_text(json.dumps(metrics))
    page = text_of(page_of(model_from(folder)))
    return page.split("Can its confidence be trusted?</h3>")[1].split("<h3>")[0]


def test_page_says_what_the_temperature_is_worth(tmp_path: Path) -> None:
    trust = trust_of(tmp_path)
    assert "A temperature of 1.18, fitted on the 2,781 validation faces" in trust
    assert "<strong>less confident</strong> and more honest" in trust
    assert "from 0.041 to 0.012 and the loss from 1.123 to 1.101 nats" in trust
    assert "<td>0.012<small>0.003 \N{EN DASH} 0.021</small></td>" in trust
    assert "as trained: ECE 0.041" in trust
    assert "temperature 1.18: ECE 0.012" in trust


def test_page_does_not_praise_a_temperature_that_does_not_help(tmp_path: Path) -> None:
    trust = trust_of(tmp_path, after_calibration_error=0.05)
    assert "does not make it more honest: on the Testing faces" in trust
    assert "less confident" not in trust


def test_page_says_what_the_sets_hold_and_what_is_not_promised(tmp_path: Path) -> None:
    write_reports(tmp_path)
    page = text_of(page_of(model_from(tmp_path)))
    sets = page.split("Prediction sets</h3>")[1].split("<h3>")[0]
    assert f"at least 12.3{SPACE}% probability" in sets
    assert f"hold the given label 90{SPACE}% of the time" in sets
    assert f"<strong>89.7{SPACE}%</strong> (89.0 \N{EN DASH} 90.4{SPACE}%)" in sets
    assert "<strong>2.15 expressions</strong>" in sets
    assert f'<tr><th scope="row">surprise</th><td>95.0{SPACE}%</td><td>1.50</td></tr>' in sets
    assert "<small>2,554</small>" in sets
    assert "An empty set says" in sets
    assert "not for each expression" in sets
