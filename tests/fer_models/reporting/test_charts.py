import re
import xml.etree.ElementTree as ElementTree
from functools import cache

import numpy as np
import pandas as pd
import pytest

from fer_data.web.html import UNKNOWN
from fer_models.reporting.calibration_charts import reliability_chart, slices_chart
from fer_models.reporting.charts import (
    Curve,
    confusion_chart,
    precision_recall_chart,
    roc_chart,
    training_curve,
)
from tests.support.models.model_reports import calibration, slices

EXPRESSIONS = ("angry", "happy", "sad")
MATRIX = np.array([[30, 10, 0], [1, 1200, 99], [0, 0, 0]])


def history(num_epochs: int = 5) -> pd.DataFrame:
    epochs = np.arange(1, num_epochs + 1)
    columns = {
        "epoch": epochs,
        "accuracy": epochs / 10,
        "loss": 2 - epochs / 10,
        "val_accuracy": epochs / 12,
        "val_loss": 2 - epochs / 12,
        "seconds": 1.0,
    }
    return pd.DataFrame(columns)


def roc() -> pd.DataFrame:
    rates = np.linspace(0, 1, 20)
    curves = [
        {"expression": name, "false_positive_rate": rates, "true_positive_rate": rates**0.3}
        for name in EXPRESSIONS
    ]
    return pd.concat([pd.DataFrame(curve) for curve in curves])


def precision_recall() -> pd.DataFrame:
    columns = {"false_positive_rate": "precision", "true_positive_rate": "recall"}
    return roc().rename(columns=columns)


@cache
def all_charts(chart_id: str = "chart") -> list[str]:
    aurocs = {"angry": 0.8126, "happy": 0.9, "sad": None}
    return [
        training_curve(history(), curve="accuracy", saved_epoch=4, chart_id=chart_id),
        training_curve(history(), curve="loss", saved_epoch=4, chart_id=chart_id),
        confusion_chart(MATRIX, expressions=EXPRESSIONS, chart_id=chart_id),
        roc_chart(roc(), aurocs=aurocs, chart_id=chart_id),
        precision_recall_chart(precision_recall(), averages=aurocs, chart_id=chart_id),
        reliability_chart(calibration(), chart_id=chart_id),
        slices_chart(slices(), overall=0.545, chart_id=chart_id),
    ]


def texts(svg: str) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg)


@pytest.mark.parametrize("chart", range(len(all_charts())))
def test_a_chart_is_one_accessible_svg_element(chart: int) -> None:
    svg = all_charts()[chart]
    root = ElementTree.fromstring(svg)
    assert root.tag.endswith("svg")
    assert root.get("role") == "img"
    assert len(root.get("aria-label", "")) > 10
    assert root.get("viewBox", "").startswith("0 0 360 ")
    assert root.get("width") is None  # the page's width decides
    assert "<style" not in svg


@pytest.mark.parametrize("chart", range(len(all_charts())))
def test_a_chart_takes_its_colors_from_the_page(chart: int) -> None:
    svg = all_charts()[chart]
    colors = re.findall(r"(?:fill|stroke): ([^;\"]+)", svg)
    assert colors
    assert all(color == "none" or color.startswith("var(--") for color in colors)


@pytest.mark.parametrize("chart", range(len(all_charts())))
def test_text_is_readable_on_a_phone(chart: int) -> None:
    sizes = [float(size) for size in re.findall(r"font-size: ([\d.]+)px", all_charts()[chart])]
    sizes += [float(size) for size in re.findall(r"font: (?:\w+ )*([\d.]+)px", all_charts()[chart])]
    assert len(sizes) == len(texts(all_charts()[chart]))
    assert min(sizes) >= 11


def test_the_same_metrics_give_the_same_bytes_without_a_date() -> None:
    assert all_charts.__wrapped__() == all_charts()
    assert "date" not in "".join(all_charts()).lower()


@pytest.mark.parametrize("chart", range(len(all_charts())))
def test_every_id_and_every_reference_belongs_to_the_chart(chart: int) -> None:
    svg = all_charts("model-1-roc")[chart]
    ids = re.findall(r'\bid="([^"]*)"', svg)
    references = re.findall(r'url\(#([^)]*)\)|href="#([^"]*)"', svg)
    assert len(ids) == len(set(ids))
    assert all(name.startswith("model-1-roc-") for name in ids)
    assert {first or second for first, second in references} <= set(ids)


@pytest.mark.parametrize(
    ("curve", "unit"),
    [("accuracy", "faces classified correctly"), ("loss", "loss (nats per face)")],
)
def test_curves_name_their_axes_and_lines(curve: Curve, unit: str) -> None:
    found = texts(training_curve(history(), curve=curve, saved_epoch=4, chart_id="chart"))
    for text in (f"{curve.capitalize()} over the epochs", "epoch", unit):
        assert text in found
    assert {"training", "validation", "saved epoch"} <= set(found)


def test_accuracy_is_in_per_cent_and_an_epoch_is_whole() -> None:
    found = texts(training_curve(history(3), curve="accuracy", saved_epoch=1, chart_id="chart"))
    assert "20%" in found
    assert not any(re.fullmatch(r"\d\.\d", text) for text in found)


def test_a_single_epoch_can_be_drawn() -> None:
    svg = training_curve(history(1), curve="loss", saved_epoch=1, chart_id="chart")
    assert "saved epoch" in svg


def test_a_confusion_matrix_shows_counts_and_percentages_of_the_row() -> None:
    found = texts(confusion_chart(MATRIX, expressions=EXPRESSIONS, chart_id="chart"))
    for text in ("1,200", "30", "75\N{NARROW NO-BREAK SPACE}%", "25\N{NARROW NO-BREAK SPACE}%"):
        assert text in found
    assert found.count(UNKNOWN) == 3  # the row without faces
    assert {"prediction", "given label"} <= set(found)


def test_a_matrix_of_zeros_can_be_drawn() -> None:
    svg = confusion_chart(np.zeros((3, 3), int), expressions=EXPRESSIONS, chart_id="chart")
    assert texts(svg).count(UNKNOWN) == 9


def test_the_largest_share_is_shaded_most() -> None:
    svg = confusion_chart(MATRIX[:2, :2], expressions=EXPRESSIONS[:2], chart_id="chart")
    opacities = [float(value) for value in re.findall(r"opacity: ([\d.]+)", svg)]
    assert len(opacities) == 4
    assert opacities[0] > opacities[1]
    assert opacities[3] == max(opacities) <= 0.5


def test_roc_curves_have_their_area_in_the_legend() -> None:
    found = texts(all_charts()[3])
    assert {"AUROC", "angry 0.813", "happy 0.900", f"sad {UNKNOWN}"} <= set(found)
    assert {"false positive rate", "true positive rate"} <= set(found)


def test_a_reliability_diagram_names_both_steps_with_their_error() -> None:
    found = texts(all_charts()[5])
    assert {"as trained: ECE 0.041", "temperature 1.18: ECE 0.012"} <= set(found)
    assert {"stated confidence", "predictions that are right"} <= set(found)


def test_precision_recall_curves_have_their_average_in_the_legend() -> None:
    found = texts(all_charts()[4])
    assert {"average precision", "angry 0.813", "happy 0.900", f"sad {UNKNOWN}"} <= set(found)
    assert {"recall: faces of the class found", "precision: finds that are right"} <= set(found)


def test_slices_run_from_the_least_to_the_most() -> None:
    found = texts(all_charts()[6])
    assert found.index("least brightness") < found.index("most brightness")
    assert {"least contrast", "most contrast", "least sharpness", "most sharpness"} <= set(found)
    assert "faces classified correctly, with 95% interval" in found
