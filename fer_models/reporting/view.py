"""Turns the reports of one model into what the page shows of it, and of the paper beside it."""

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup

from fer_data.core.schema import SPLIT, TEST, VALIDATION
from fer_data.web.html import face_uri
from fer_models.evaluation.top_losses import PIXELS, face_of
from fer_models.reporting.calibration_charts import reliability_chart, slices_chart
from fer_models.reporting.charts import (
    confusion_chart,
    precision_recall_chart,
    roc_chart,
    training_curve,
)
from fer_models.reporting.load import ModelReport

PAPER_TEST_FACES = 7_067
"""The faces that the paper's `val_*` figures were measured on: FER2013's Testing folder."""


def model_view(
    model: ModelReport, number: int, *, rival: ModelReport | None = None
) -> dict[str, Any]:
    """What the template prints about a model.

    Args:
        model: What was written about it.
        number: Its place on the page, from 1 on; the ids of its charts begin with it.
        rival: What is held against the model if the paper does not have that: see `papers_best`.
    """
    test, training = model.measured[TEST], model.training
    kept_epoch = training["kept_epoch"]
    charts = {
        "accuracy": training_curve(
            model.history,
            curve="accuracy",
            kept_epoch=kept_epoch,
            chart_id=f"model-{number}-accuracy",
        ),
        "loss": training_curve(
            model.history, curve="loss", kept_epoch=kept_epoch, chart_id=f"model-{number}-loss"
        ),
        "confusion": confusion_chart(
            np.array(test["confusion_matrix"], dtype=np.int64),
            expressions=tuple(test["per_class"]),
            chart_id=f"model-{number}-confusion",
        ),
        "roc": roc_chart(
            model.roc.loc[model.roc[SPLIT] == TEST],
            aurocs={name: figures["auroc"] for name, figures in test["per_class"].items()},
            chart_id=f"model-{number}-roc",
        ),
        "precision_recall": precision_recall_chart(
            model.precision_recall.loc[model.precision_recall[SPLIT] == TEST],
            averages={
                name: figures["average_precision"] for name, figures in test["per_class"].items()
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


def _with_gain(calibration: Mapping[str, Any]) -> dict[str, Any]:
    """Adds whether the temperature made the model more honest, on faces that did not choose it."""
    before, after = (
        calibration[step]["calibration_error"]["value"] for step in ("before", "after")
    )
    return {**calibration, "gain": after < before}


def _markdown_uri(text: str) -> str:
    return "data:text/markdown;base64," + base64.b64encode(text.encode()).decode("ascii")


def papers_best(models: Sequence[ModelReport]) -> ModelReport | None:
    """The model whose figure in the paper is the highest, of those of which it has one."""
    known = [model for model in models if _papers_accuracy(model.training) is not None]
    return max(known, key=lambda model: model.training["paper"]["val_accuracy"], default=None)


def _papers_accuracy(training: Mapping[str, Any]) -> float | None:
    return training["paper"]["val_accuracy"]


def _beside_paper(
    test: Mapping[str, Any], training: Mapping[str, Any], *, rival: ModelReport | None
) -> dict[str, Any]:
    """Ours and the paper's four figures, and how our test accuracy compares with theirs.

    The paper's `accuracy` and `loss` are running training figures; its `val_*` were measured on the
    Testing folder, so that `test` is what stands beside them. Where the paper has no such figure of the
    model, that of the rival is taken, if there is one.
    """
    ours = {
        "accuracy": training["training"]["accuracy"],
        "loss": training["training"]["loss"],
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
