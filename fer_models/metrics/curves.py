"""The points of a model's curves: what it says of faces in, one table a file out."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from fer_data.core.schema import SPLIT, TEST
from fer_models.metrics.classification import roc_points
from fer_models.metrics.precision_recall import precision_recall_points
from fer_models.metrics.prediction_table import Answers

TEMPERATURE = "temperature"
"""Column of reliability.csv: whether a point was measured before or after the temperature."""


def curve_tables(
    answers: Mapping[str, Answers], calibration: Mapping[str, Any], *, expressions: tuple[str, ...]
) -> dict[str, pd.DataFrame]:
    """All curves of a model.

    Args:
        answers: What it says of the faces of each split.
        calibration: As `fer_models.calibration.reliability.calibration` returns it, measured on `test`.
        expressions: The K classes, in the order of the columns.

    Returns:
        By file name, one row a point: `roc.csv` and `precision_recall.csv`, with `split` and the columns
        of `roc_points` and of `precision_recall_points`; and `reliability.csv`, with `split`,
        `temperature` (`before` or `after` it), and the `faces`, `confidence` and `accuracy` of a bin.
    """
    roc = {
        split: roc_points(said.labels, said.probabilities, expressions=expressions)
        for split, said in answers.items()
    }
    precision_recall = {
        split: precision_recall_points(said, expressions=expressions)
        for split, said in answers.items()
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
    """All curves, what tells them apart in the first column, of that name."""
    return pd.concat(curves, names=[name]).reset_index(level=name).reset_index(drop=True)
