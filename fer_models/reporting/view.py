"""Prepares what the page shows of each model, with the paper and the peer beside it."""

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup

from fer_data.core.schema import SPLIT, TEST, VALIDATION
from fer_data.web.html import face_uri
from fer_models.evaluation.top_losses import PIXELS, face_of
from fer_models.reporting.accuracy_chart import AccuracyRow, accuracy_chart
from fer_models.reporting.calibration_charts import reliability_chart, slices_chart
from fer_models.reporting.charts import (
    confusion_chart,
    precision_recall_chart,
    roc_chart,
    training_curve,
)
from fer_models.reporting.load import ModelReport
from fer_models.reporting.report_settings import Peer

PAPER_TEST_FACES = 7_067
"""The faces that the paper's `val_*` metrics were measured on: FER2013's Testing folder."""


def model_view(
    model: ModelReport, number: int, *, rival: ModelReport | None = None
) -> dict[str, Any]:
    """Prepares what the template prints about a model.

    Args:
        model: Its reports.
        number: Its place on the page, from 1 on; the ids of its charts begin with it.
        rival: The model to compare with if the paper does not have this one: see `papers_best`.
    """
    test, training = model.measured[TEST], model.training
    saved_epoch = training["saved_epoch"]
    charts = {
        "accuracy": training_curve(
            model.history,
            curve="accuracy",
            saved_epoch=saved_epoch,
            chart_id=f"model-{number}-accuracy",
        ),
        "loss": training_curve(
            model.history, curve="loss", saved_epoch=saved_epoch, chart_id=f"model-{number}-loss"
        ),
        "confusion": confusion_chart(
            np.array(test["confusion_matrix"], dtype=np.int64),
            expressions=tuple(test["per_class"]),
            chart_id=f"model-{number}-confusion",
        ),
        "roc": roc_chart(
            model.roc.loc[model.roc[SPLIT] == TEST],
            aurocs={name: metrics["auroc"] for name, metrics in test["per_class"].items()},
            chart_id=f"model-{number}-roc",
        ),
        "precision_recall": precision_recall_chart(
            model.precision_recall.loc[model.precision_recall[SPLIT] == TEST],
            averages={
                name: metrics["average_precision"] for name, metrics in test["per_class"].items()
            },
            chart_id=f"model-{number}-precision-recall",
        ),
        "slices": slices_chart(
            model.measured["slices"],
            overall=test["accuracy"]["value"],
            chart_id=f"model-{number}-slices",
        ),
        "reliability": reliability_chart(
            model.measured["calibration"], chart_id=f"model-{number}-reliability"
        ),
    }
    return {
        "name": model.name,
        "number": number,
        "training": training,
        "test": test,
        "validation": model.measured[VALIDATION],
        "protocol": model.measured["protocol"],
        "without_duplicates": model.measured["without_duplicates"],
        "calibration": _with_gain(model.measured["calibration"]),
        "conformal": model.measured["conformal"],
        "slices": model.measured["slices"],
        "mistakes": [
            {**row, "uri": face_uri(face_of(row[PIXELS]))}
            for row in model.mistakes.to_dict("records")
        ],
        "cost": model.cost,
        "card": model.card,
        "card_uri": _markdown_uri(model.card),
        "settings": _flat(training["settings"]),
        "charts": {name: Markup(chart) for name, chart in charts.items()},
        "paper": _beside_paper(test, training, rival=rival),
    }


def first_chart(models: Sequence[ModelReport], peer: Peer | None) -> dict[str, Any]:
    """Draws the chart of the page's first screen, with what can be compared.

    Args:
        models: At least one, all measured on the same Testing faces.
        peer: A model to compare with; left out if it was measured on another number of faces.

    Returns:
        The chart as `wide` (for screens) and `narrow` (for phones); the `peer`, None if it is left out;
        and `papers_best`, the highest of the paper's values on the chart, None without any.
    """
    faces = models[0].measured[TEST]["faces"]
    rows: list[AccuracyRow] = []
    for model in models:
        accuracy = model.measured[TEST]["accuracy"]
        paper = _papers_accuracy(model.training) if faces == PAPER_TEST_FACES else None
        ends = (accuracy["value"], accuracy["low"], accuracy["high"])
        rows.append(AccuracyRow(model.training["title"], *ends, paper=paper))
    if peer is not None and peer.faces != faces:
        peer = None
    if peer is not None:
        ends = (peer.accuracy, peer.low, peer.high)
        rows.append(AccuracyRow(peer.title, *ends, is_peer=True))
    published = [row.paper for row in rows if row.paper is not None]
    return {
        "wide": Markup(accuracy_chart(rows, chart_id="accuracy-wide", wide=True)),
        "narrow": Markup(accuracy_chart(rows, chart_id="accuracy-narrow")),
        "peer": peer,
        "papers_best": max(published, default=None),
    }


def _with_gain(calibration: Mapping[str, Any]) -> dict[str, Any]:
    """Adds whether the temperature made the model more honest, on faces that did not choose it."""
    before, after = (
        calibration[step]["calibration_error"]["value"] for step in ("before", "after")
    )
    return {**calibration, "gain": after < before}


def _markdown_uri(text: str) -> str:
    return "data:text/markdown;base64," + base64.b64encode(text.encode()).decode("ascii")


def papers_best(models: Sequence[ModelReport]) -> ModelReport | None:
    """The model whose accuracy in the paper is the highest, of those of which it has one."""
    known = [model for model in models if _papers_accuracy(model.training) is not None]
    return max(known, key=lambda model: model.training["paper"]["val_accuracy"], default=None)


def _papers_accuracy(training: Mapping[str, Any]) -> float | None:
    return training["paper"]["val_accuracy"]


def _beside_paper(
    test: Mapping[str, Any], training: Mapping[str, Any], *, rival: ModelReport | None
) -> dict[str, Any]:
    """Ours and the paper's four metrics, and how our test accuracy compares with theirs.

    The paper's `accuracy` and `loss` are running training metrics; its `val_*` were measured on the
    Testing folder, so that `test` is what stands beside them. Where the paper has no such metric of the
    model, that of the rival is taken, if there is one.
    """
    ours = {
        "accuracy": training["training"]["accuracy"],
        # Of a taught model it is the sum of the labels' part and the teacher's: no loss like others'.
        "loss": None if "teacher" in training else training["training"]["loss"],
        "val_accuracy": test["accuracy"]["value"],
        "val_loss": test["loss"]["value"],
    }
    theirs, rival_title = _papers_accuracy(training), None
    if theirs is None and rival is not None:
        theirs, rival_title = _papers_accuracy(rival.training), rival.training["title"]
    gap, place = None, None
    if theirs is not None and test["faces"] != PAPER_TEST_FACES:
        place = "elsewhere"
    elif theirs is not None:
        gap = 100 * (ours["val_accuracy"] - theirs)
        if test["accuracy"]["low"] <= theirs <= test["accuracy"]["high"]:
            place = "inside"
        else:
            place = "below" if gap < 0 else "above"
    return {
        "ours": ours,
        "theirs": training["paper"],
        "points": gap,
        "place": place,
        "compared_with": theirs,
        "rival": rival_title,
    }


def _flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested settings as dotted keys, with their values as JSON writes them, strings bare."""
    flat: dict[str, str] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value if isinstance(value, str) else json.dumps(value)
    return flat
