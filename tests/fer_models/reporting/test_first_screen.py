"""The first screen of the page about the models: the answer in a sentence and in a chart."""

import html
import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from fer_data.core.schema import VALIDATION
from fer_data.stages.settings import SettingsError, read_settings
from fer_models.reporting.accuracy_chart import AccuracyRow, accuracy_chart
from fer_models.reporting.load import ModelReport
from fer_models.reporting.report_settings import Peer, ReportSettings
from tests.support.models.model_reports import (
    PAPER,
    model_from,
    page_of,
    text_of,
    write_reports,
)
from tests.support.servers.browser import needs_chromium

PEER = Peer(title="fer 1.0", accuracy=0.6598, low=0.6485, high=0.6712, faces=7_067, note="cheats")
SPACE = "\N{NARROW NO-BREAK SPACE}"
ROWS = (
    AccuracyRow("First", 0.55, 0.54, 0.56, paper=0.5776),
    AccuracyRow("Second <b>", 0.68, 0.67, 0.69),
    AccuracyRow("fer", 0.66, 0.65, 0.67, is_peer=True),
)


@pytest.fixture
def models(tmp_path: Path) -> list[ModelReport]:
    write_reports(tmp_path, title="First")
    ours = {"title": "Second", "paper": {**PAPER, "val_accuracy": None}}
    write_reports(tmp_path, name="compact", test_accuracy=0.6792, **ours)
    found = [model_from(tmp_path), model_from(tmp_path, "compact")]
    found[1].measured[VALIDATION]["accuracy"]["value"] = 0.6
    return found


@pytest.mark.parametrize("wide", [False, True])
def test_a_chart_has_a_row_for_each_model_the_best_one_first(wide: bool) -> None:
    chart = accuracy_chart(ROWS, chart_id="it", wide=wide)
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", chart)
    names = [text for text in texts if text in ("First", "Second &lt;b&gt;", "fer")]
    assert names == ["Second &lt;b&gt;", "fer", "First"]
    assert {"model", "peer", "the paper", f"68.0{SPACE}%"} <= set(texts)
    assert ("67.0 \N{EN DASH} 69.0" in chart.split(">", 1)[1]) == wide
    assert chart.startswith(f'<svg viewBox="0 0 {720 if wide else 360} ')
    assert "#05050" not in chart


def test_a_chart_without_paper_and_peer_has_marks_of_models_alone() -> None:
    chart = accuracy_chart(ROWS[1:2], chart_id="it")
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", chart)
    assert "model" in texts
    assert not {"peer", "the paper"} & set(texts)


def test_the_label_of_the_chart_tells_all_its_numbers() -> None:
    label = re.findall(r'aria-label="([^"]*)"', accuracy_chart(ROWS, chart_id="it"))[0]
    dash = "\N{EN DASH}"
    assert html.unescape(label) == (
        "Accuracy on the Testing faces: "
        f"Second <b> 68.0{SPACE}%, 95 % interval 67.0 {dash} 69.0{SPACE}%; "
        f"fer (peer) 66.0{SPACE}%, 95 % interval 65.0 {dash} 67.0{SPACE}%; "
        f"First 55.0{SPACE}%, 95 % interval 54.0 {dash} 56.0{SPACE}%, the paper 57.8{SPACE}%"
    )


def test_long_names_are_folded_and_rows_grow() -> None:
    name = "A network with a name that is much longer than what anybody would write in a table"
    short, long = (
        accuracy_chart([AccuracyRow(one, 0.5, 0.4, 0.6)], chart_id="it") for one in ("A", name)
    )
    heights = [float(re.findall(r'viewBox="0 0 360 ([\d.]+)"', one)[0]) for one in (short, long)]
    assert heights[0] < heights[1]
    assert name not in long.split(">", 1)[1]
    assert "\N{HORIZONTAL ELLIPSIS}" in long


def test_the_first_sentence_names_the_best_model_on_validation(models: list[ModelReport]) -> None:
    first = text_of(page_of(*models, peer=PEER)).split("<nav")[0].replace("&#39;", "'")
    assert f"<strong>Second</strong> classifies <strong>67.9{SPACE}%</strong> of 7,067" in first
    assert f"The paper's best value is 57.8{SPACE}%. The peer, fer 1.0, has 66.0{SPACE}%." in first
    assert "the best of 2 models on the 2,781 validation faces" in first
    assert "All models learned from the same 24,955 faces" in first
    assert "The peer cheats." in first
    assert first.count("<svg") == 2


def test_a_single_model_is_called_the_best_of_none(models: list[ModelReport]) -> None:
    first = text_of(page_of(models[0])).split("<nav")[0].replace("&#39;", "'")
    assert f"<strong>First</strong> classifies <strong>56.1{SPACE}%</strong> of" in first
    assert f"The paper's value is 57.8{SPACE}%." in first
    assert "best" not in first.split("</svg>")[-1]
    assert "It learned from 24,955 faces." in first


def test_peer_and_paper_are_left_out_where_the_faces_are_others(models: list[ModelReport]) -> None:
    other = PEER.model_copy(update={"faces": 601})
    first = page_of(*models, peer=other).split("<nav")[0]
    assert "fer 1.0" not in first
    for model in models:
        model.measured["test"]["faces"] = 601
    first = page_of(*models, peer=PEER).split("<nav")[0]
    assert "fer 1.0" not in first
    assert "the paper" not in first.lower()


def test_what_is_equal_for_all_models_is_in_no_table(models: list[ModelReport]) -> None:
    page = page_of(*models)
    tables = "".join(page.split("<table")[1:])
    assert "Faces learned from" not in page
    assert "batches of" not in tables
    models[1].training["train_faces"] = 20_000  # type: ignore[index] # a dictionary, read from JSON
    models[1].cost["batch_size"] = 64  # type: ignore[index]
    page = page_of(*models)
    assert "<td>24,955</td>" in page
    assert "<td>20,000</td>" in page
    assert "<small>batches of 64</small>" in page


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"accuracy": 0.5}, "got low 0.6485, accuracy 0.5, high 0.6712: expected them in order"),
        ({"faces": 0}, "report.peer.faces"),
        ({"color": "red"}, "report.peer.color"),
    ],
)
def test_an_odd_peer_is_refused(tmp_path: Path, change: dict, message: str) -> None:
    file = tmp_path / "params.yaml"
    file.write_text(f"report: {{models: [scratch], peer: {PEER.model_dump() | change}}}")
    with pytest.raises(SettingsError, match=re.escape(message)):
        read_settings(ReportSettings, "report", file=file)


@needs_chromium
@pytest.mark.parametrize(("width", "seen"), [(1280, "wide"), (390, "narrow")])
def test_the_chart_is_on_the_first_screen(
    models: list[ModelReport], tmp_path: Path, browser: Browser, width: int, seen: str
) -> None:
    file = tmp_path / "index.html"
    file.write_text(page_of(*models, peer=PEER), encoding="utf-8")
    page = browser.new_page(viewport={"width": width, "height": 844})
    page.goto(file.as_uri())
    (chart,) = [one for one in page.locator(".answer svg").all() if one.is_visible()]
    box = chart.bounding_box()
    assert box is not None
    assert f'id="accuracy-{seen}-' in chart.inner_html()
    assert box["y"] + box["height"] < 844
    letters = chart.locator("text").first.evaluate("e => e.getBoundingClientRect().height")
    assert letters > 10
    assert page.evaluate("document.documentElement.scrollWidth") == width
    page.close()
