"""Gathers what was trained and measured into one page and one small file of metrics.

In come, for each model that `params.yaml` lists, the reports of `train` and of `evaluate`, and what was
measured when decisions were last accepted; out go `index.html`, which opens from disk without a
network, and `metrics.json` for `dvc metrics`.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup
from pydantic import Field

from fer_data import stage
from fer_data.page import render_page
from fer_data.params import Settings, read_settings
from fer_data.schema import ROLE, TEST, VALIDATION
from fer_data.tables import read_csv, read_json
from fer_models.changes import Accepted, changes_since, read_accepted
from fer_models.charts import confusion_chart, roc_chart, training_curve

logger = logging.getLogger(__name__)

PAPER_TEST_FACES = 7_067
"""The faces that the paper's `val_*` figures were measured on: FER2013's Testing folder."""

MEASURES = ("accuracy", "loss", "macro_f1", "macro_auroc", "calibration_error")


class ReportSettings(Settings):
    """Section `report`."""

    models: tuple[str, ...] = Field(min_length=1)
    """The models on the page, in this order."""


@dataclass(frozen=True)
class ModelReport:
    """What the stages `train` and `evaluate` wrote about one model."""

    name: str
    history: pd.DataFrame
    """One row an epoch, as `fer_models.train.fit` returns it."""
    training: Mapping[str, Any]
    """`summary.json` of `train`."""
    measured: Mapping[str, Any]
    """`metrics.json` of `evaluate`: for each role, measures with intervals, classes, confusions."""
    roc: pd.DataFrame
    """Points of the ROC curves: `role`, `expression`, `false_positive_rate`, `true_positive_rate`."""


def compact_metrics(models: Sequence[ModelReport]) -> dict[str, dict[str, dict[str, float | None]]]:
    """The figures that are compared between commits.

    Returns:
        By model, then by role (`test`, `validation`): the measures, and the bounds of accuracy's 95 %
        interval as `accuracy_low` and `accuracy_high`.
    """
    return {
        model.name: {role: _compact(model, role) for role in (TEST, VALIDATION)} for model in models
    }


def report_page(models: Sequence[ModelReport], *, accepted: Accepted | None) -> str:
    """The page about all models.

    Args:
        models: At least one, in the page's order.
        accepted: What was measured when decisions were last accepted, if they ever were.

    Returns:
        HTML with everything inlined.
    """
    ranked = sorted(models, key=lambda model: model.measured[VALIDATION]["accuracy"]["value"])
    return render_page(
        "fer_models",
        "report.html.j2",
        models=[_view(model, number) for number, model in enumerate(models, start=1)],
        paper_faces=PAPER_TEST_FACES,
        best=ranked[-1].name if len(models) > 1 else None,
        accepted=accepted,
        changes=changes_since(
            accepted.metrics if accepted else {}, {model.name: model.measured for model in models}
        ),
    )


def read_model(train: Path, evaluate: Path, *, name: str) -> ModelReport:
    """Reads one model's reports.

    Args:
        train: The folder with a training report for each model.
        evaluate: The folder with an evaluation for each model.
        name: The model.

    Raises:
        UserError: A file is missing or cannot be read.
    """
    return ModelReport(
        name=name,
        history=read_csv(train / name / "history.csv"),
        training=read_json(train / name / "summary.json"),
        measured=read_json(evaluate / name / "metrics.json"),
        roc=read_csv(evaluate / name / "roc.csv"),
    )


def _compact(model: ModelReport, role: str) -> dict[str, float | None]:
    measured = model.measured[role]
    bounds = {f"accuracy_{bound}": measured["accuracy"][bound] for bound in ("low", "high")}
    values = {measure: measured[measure]["value"] for measure in MEASURES}
    return {"accuracy": values["accuracy"], **bounds, **values}


def _view(model: ModelReport, number: int) -> dict[str, Any]:
    """What the template prints about the model that stands at a number, from 1 on."""
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
            model.roc.loc[model.roc[ROLE] == TEST],
            aurocs={name: figures["auroc"] for name, figures in test["per_class"].items()},
            chart_id=f"model-{number}-roc",
        ),
    }
    return {
        "name": model.name,
        "training": training,
        "test": test,
        "validation": model.measured[VALIDATION],
        "settings": _flat(training["settings"]),
        "charts": {name: Markup(chart) for name, chart in charts.items()},
        "paper": _beside_paper(test, training),
    }


def _beside_paper(test: Mapping[str, Any], training: Mapping[str, Any]) -> dict[str, Any]:
    """Ours and the paper's four figures, and how our test accuracy compares with theirs.

    The paper's `accuracy` and `loss` are running training figures; its `val_*` were measured on the
    Testing folder, so that `test` is what stands beside them.
    """
    paper = training["paper"]
    ours = {
        "accuracy": training["training"]["accuracy"],
        "loss": training["training"]["loss"],
        "val_accuracy": test["accuracy"]["value"],
        "val_loss": test["loss"]["value"],
    }
    gap, place = None, None
    if test["faces"] != PAPER_TEST_FACES:
        place = "elsewhere"
    elif paper["val_accuracy"] is not None:
        gap = 100 * (ours["val_accuracy"] - paper["val_accuracy"])
        if test["accuracy"]["low"] <= paper["val_accuracy"] <= test["accuracy"]["high"]:
            place = "inside"
        else:
            place = "below" if gap < 0 else "above"
    return {"ours": ours, "theirs": paper, "points": gap, "place": place}


def _flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested settings as dotted keys, with their values as JSON writes them, strings bare."""
    flat: dict[str, str] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value if isinstance(value, str) else json.dumps(value)
    return flat


def main() -> None:
    """Reads the models' reports, writes the page and the metrics."""
    flags = stage.parse_flags(__doc__, "train", "evaluate", "accepted", "page", "metrics")
    settings = read_settings(ReportSettings, "report")
    models = [read_model(flags.train, flags.evaluate, name=name) for name in settings.models]
    page = report_page(models, accepted=read_accepted(flags.accepted))
    metrics = compact_metrics(models)
    with stage.written_beside(flags.page) as beside:
        beside.write_text(page, encoding="utf-8")
    with stage.written_beside(flags.metrics) as beside:
        beside.write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")
    accuracies = ", ".join(
        f"{name} {roles[TEST]['accuracy']:.4f}" for name, roles in metrics.items()
    )
    logger.info("report: test accuracy %s -> %s", accuracies, flags.page)


if __name__ == "__main__":
    stage.run(main)
