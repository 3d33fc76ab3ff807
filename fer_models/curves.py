"""The points of a model's curves: what it says of faces in, one table a file out."""

from collections.abc import Mapping

import pandas as pd

from fer_data.schema import ROLE
from fer_models.answers import Answers
from fer_models.metrics import roc_points
from fer_models.precision_recall import precision_recall_points


def curve_tables(
    answers: Mapping[str, Answers], *, expressions: tuple[str, ...]
) -> dict[str, pd.DataFrame]:
    """All curves of a model.

    Args:
        answers: What it says of the faces of each role.
        expressions: The K classes, in the order of the columns.

    Returns:
        By file name, `roc.csv` and `precision_recall.csv`: `role`, and the columns of `roc_points` and
        of `precision_recall_points`, one row a point.
    """
    roc = {
        role: roc_points(said.labels, said.probabilities, expressions=expressions)
        for role, said in answers.items()
    }
    precision_recall = {
        role: precision_recall_points(said, expressions=expressions)
        for role, said in answers.items()
    }
    return {"roc.csv": _joined(roc), "precision_recall.csv": _joined(precision_recall)}


def _joined(curves: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The curves of all roles, the role in the first column."""
    return pd.concat(curves, names=[ROLE]).reset_index(level=ROLE).reset_index(drop=True)
