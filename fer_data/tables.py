"""Parquet tables in and out: atomic, the same bytes for the same rows, arrays in a column."""

from pathlib import Path

import numpy as np
import pandas as pd

from fer_data.schema import PROBABILITIES
from fer_data.stage import UserError, written_beside


def write_table(frame: pd.DataFrame, file: Path) -> None:
    """Writes a frame without its index; whole or not at all."""
    with written_beside(file) as beside:
        frame.to_parquet(beside, index=False)


def read_table(file: Path) -> pd.DataFrame:
    """Reads a frame.

    Raises:
        UserError: The file is missing.
    """
    try:
        return pd.read_parquet(file)
    except FileNotFoundError:
        raise UserError(f"{file} is missing: `dvc repro` makes it, `dvc pull` fetches it") from None


def with_probabilities(frame: pd.DataFrame, probabilities: np.ndarray) -> pd.DataFrame:
    """A copy of `frame` (N rows) with the rows of `probabilities`, float32 (N, K), as a column."""
    return frame.assign(**{PROBABILITIES: list(probabilities.astype(np.float32))})


def probabilities_of(frame: pd.DataFrame) -> np.ndarray:
    """The column `probabilities` of N rows as one float32 array of shape (N, K)."""
    return np.stack(list(frame[PROBABILITIES])).astype(np.float32)
