"""Loads the reports of `train` and `evaluate` about one model."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from fer_data.core.tables import missing, read_csv, read_json, read_table


@dataclass(frozen=True)
class ModelReport:
    """The reports of `train` and `evaluate` about one model."""

    name: str
    history: pd.DataFrame
    """One row an epoch, as `fer_models.training.train.fit` returns it."""
    training: Mapping[str, Any]
    """`summary.json` of `train`."""
    measured: Mapping[str, Any]
    """`metrics.json` of `evaluate`: for each split, metrics with intervals, classes, confusions."""
    cost: Mapping[str, Any]
    """`cost.json` of `evaluate`: parameters, bytes, and milliseconds a face on one machine."""
    roc: pd.DataFrame
    """Points of the ROC curves: `split`, `expression`, `false_positive_rate`, `true_positive_rate`."""
    precision_recall: pd.DataFrame
    """Points of the precision-recall curves: `split`, `expression`, `recall`, `precision`."""
    predictions: pd.DataFrame
    """Its prediction for each face: `path`, `split`, `label`, `prediction`."""
    mistakes: pd.DataFrame
    """The surest mistakes on `test`, as `top_losses.confident_mistakes` returns them."""
    card: str
    """The model's card, in Markdown."""


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
        cost=read_json(evaluate / name / "cost.json"),
        roc=read_csv(evaluate / name / "roc.csv"),
        precision_recall=read_csv(evaluate / name / "precision_recall.csv"),
        predictions=read_table(evaluate / name / "predictions.parquet"),
        mistakes=read_table(evaluate / name / "mistakes.parquet"),
        card=_read_text(evaluate / name / "model_card.md"),
    )


def _read_text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise missing(file) from None
