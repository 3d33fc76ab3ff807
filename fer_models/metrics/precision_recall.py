"""Labels and probabilities in, precision-recall curves and average precisions out."""

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score, precision_recall_curve

from fer_data.core.schema import EXPRESSION
from fer_models.metrics.prediction_table import Answers

RECALL = "recall"
PRECISION = "precision"
"""Columns of precision_recall.csv, beside `split` and `expression`; one row a point of a curve."""


def average_precisions(
    answers: Answers, *, expressions: tuple[str, ...]
) -> dict[str, float | None]:
    """The average precision of each class against the others.

    It is the mean of the precisions at each rank, weighted by how much the recall rises there, without
    interpolation (scikit-learn's definition). A model that guesses gets the class's share of the faces.

    Args:
        answers: Of N faces.
        expressions: The K classes, in the order of the columns.

    Returns:
        0 to 1 for each expression; None for one without faces.
    """
    found: dict[str, float | None] = {}
    for number, expression in enumerate(expressions):
        of_class = answers.labels == number
        scores = answers.probabilities[:, number]
        found[expression] = (
            float(average_precision_score(of_class, scores)) if of_class.any() else None
        )
    return found


def precision_recall_points(
    answers: Answers, *, expressions: tuple[str, ...], max_points: int = 200
) -> pd.DataFrame:
    """The precision-recall curve of each class against the others, thinned for plotting.

    Args:
        answers: Of N faces.
        expressions: The K classes, in the order of the columns.
        max_points: How many points a curve keeps at most, evenly along its recall, both ends among them.

    Returns:
        `expression`, `recall` (rising) and `precision`, one row a point. A class of which there are no
        faces has no curve.
    """
    curves: list[pd.DataFrame] = []
    for number, expression in enumerate(expressions):
        of_class = answers.labels == number
        if not of_class.any():
            continue
        precisions, recalls, _ = precision_recall_curve(of_class, answers.probabilities[:, number])
        precisions, recalls = precisions[::-1], recalls[::-1]
        kept = np.unique(np.searchsorted(recalls, np.linspace(0, 1, max_points)))
        curve = {RECALL: recalls[kept], PRECISION: precisions[kept]}
        curves.append(pd.DataFrame({EXPRESSION: expression, **curve}))
    columns = [EXPRESSION, RECALL, PRECISION]
    return pd.concat(curves, ignore_index=True) if curves else pd.DataFrame(columns=columns)
