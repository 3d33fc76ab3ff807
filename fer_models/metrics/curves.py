"""The points of a model's ROC, precision-recall and reliability curves, one table a file."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score, precision_recall_curve

from fer_data.core.schema import EXPRESSION, SPLIT, TEST
from fer_models.metrics.classification import roc_points
from fer_models.metrics.prediction_table import Predictions

TEMPERATURE = "temperature"
"""Column of reliability.csv: whether a point was measured before or after the temperature."""
RECALL = "recall"
PRECISION = "precision"
"""Columns of precision_recall.csv, beside `split` and `expression`; one row a point of a curve."""


def curve_tables(
    predictions: Mapping[str, Predictions],
    calibration: Mapping[str, Any],
    *,
    expressions: tuple[str, ...],
) -> dict[str, pd.DataFrame]:
    """Computes all curves of a model.

    Args:
        predictions: The model's, for the faces of each split.
        calibration: As `fer_models.calibration.reliability.calibration` returns it, measured on `test`.
        expressions: The K classes, in the order of the columns.

    Returns:
        By file name, one row a point: `roc.csv` and `precision_recall.csv`, with `split` and the columns
        of `roc_points` and of `precision_recall_points`; and `reliability.csv`, with `split`,
        `temperature` (`before` or `after` it), and the `faces`, `confidence` and `accuracy` of a bin.
    """
    roc = {
        split: roc_points(of_split.labels, of_split.probabilities, expressions=expressions)
        for split, of_split in predictions.items()
    }
    precision_recall = {
        split: precision_recall_points(of_split, expressions=expressions)
        for split, of_split in predictions.items()
    }
    reliability = {
        step: pd.DataFrame(calibration[step]["bins"]).assign(**{SPLIT: TEST})
        for step in ("before", "after")
    }
    return {
        "roc.csv": _joined(roc, SPLIT),
        "precision_recall.csv": _joined(precision_recall, SPLIT),
        "reliability.csv": _joined(reliability, TEMPERATURE),
    }


def _joined(curves: Mapping[str, pd.DataFrame], name: str) -> pd.DataFrame:
    """Concatenates curves; the first column, of that name, holds their keys."""
    return pd.concat(curves, names=[name]).reset_index(level=name).reset_index(drop=True)


def average_precisions(
    predictions: Predictions, *, expressions: tuple[str, ...]
) -> dict[str, float | None]:
    """Computes the average precision of each class against the others.

    It is the mean of the precisions at each rank, weighted by how much the recall rises there, without
    interpolation (scikit-learn's definition). A model that guesses gets the class's share of the faces.

    Args:
        predictions: Of N faces.
        expressions: The K classes, in the order of the columns.

    Returns:
        0 to 1 for each expression; None for one without faces.
    """
    found: dict[str, float | None] = {}
    for number, expression in enumerate(expressions):
        of_class = predictions.labels == number
        scores = predictions.probabilities[:, number]
        found[expression] = (
            float(average_precision_score(of_class, scores)) if of_class.any() else None
        )
    return found


def precision_recall_points(
    predictions: Predictions, *, expressions: tuple[str, ...], max_points: int = 200
) -> pd.DataFrame:
    """Computes the precision-recall curve of each class against the others, thinned for plotting.

    Args:
        predictions: Of N faces.
        expressions: The K classes, in the order of the columns.
        max_points: How many points a curve keeps at most, evenly along its recall, both ends among them.

    Returns:
        `expression`, `recall` (rising) and `precision`, one row a point. A class of which there are no
        faces has no curve.
    """
    curves: list[pd.DataFrame] = []
    for number, expression in enumerate(expressions):
        of_class = predictions.labels == number
        if not of_class.any():
            continue
        precisions, recalls, _ = precision_recall_curve(
            of_class, predictions.probabilities[:, number]
        )
        precisions, recalls = precisions[::-1], recalls[::-1]
        # The first point at or after each of `max_points` equal steps of recall.
        thinned = np.unique(np.searchsorted(recalls, np.linspace(0, 1, max_points)))
        curve = {RECALL: recalls[thinned], PRECISION: precisions[thinned]}
        curves.append(pd.DataFrame({EXPRESSION: expression, **curve}))
    columns = [EXPRESSION, RECALL, PRECISION]
    return pd.concat(curves, ignore_index=True) if curves else pd.DataFrame(columns=columns)
