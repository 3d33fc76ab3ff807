"""Tables and figures in files: Parquet in and out, CSV and JSON in; arrays in a column."""

import json
from pathlib import Path
from typing import Any

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
        raise missing(file) from None


def read_csv(file: Path, *, dtype: type | None = None) -> pd.DataFrame:
    """Reads a CSV file.

    Args:
        file: The file, in UTF-8, with a header.
        dtype: The type of all columns; with `str`, empty fields are empty strings.

    Raises:
        UserError: The file is missing.
    """
    try:
        return pd.read_csv(file, dtype=dtype, keep_default_na=dtype is not str)
    except FileNotFoundError:
        raise missing(file) from None


def read_json(file: Path) -> Any:
    """Reads a JSON file.

    Raises:
        UserError: The file is missing, or is not JSON.
    """
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise missing(file) from None
    except ValueError as error:
        raise UserError(f"{file} is not JSON ({error}): `dvc repro` makes it anew") from None


def missing(file: Path) -> UserError:
    """The error that a missing artifact deserves, with both ways to get it."""
    return UserError(f"{file} is missing: `dvc repro` makes it, `dvc pull` fetches it")


def with_probabilities(frame: pd.DataFrame, probabilities: np.ndarray) -> pd.DataFrame:
    """A copy of `frame` (N rows) with the rows of `probabilities`, float32 (N, K), as a column."""
    return frame.assign(**{PROBABILITIES: list(probabilities.astype(np.float32))})


def probabilities_of(frame: pd.DataFrame) -> np.ndarray:
    """The column `probabilities` of N rows as one float32 array of shape (N, K)."""
    return np.stack(list(frame[PROBABILITIES])).astype(np.float32)
