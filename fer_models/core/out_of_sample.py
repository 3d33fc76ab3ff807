"""Writes and reads an ensemble's out-of-sample predictions for `validation`, beside its model.

The saved head is fitted on these faces, so that its own predictions for them are too good; a temperature
or a threshold that was chosen on those would be overconfident.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from fer_data.core.errors import UserError
from fer_data.core.files import sha256_of
from fer_data.core.schema import PATH
from fer_data.core.tables import probabilities_of, read_table, with_probabilities, write_table
from fer_data.core.tfrecord import Examples

NAME = "validation.parquet"
_MODEL_HASH = "model_hash"


def write_cross_fitted(probabilities: np.ndarray, examples: Examples, *, model: Path) -> None:
    """Writes the table beside a model.

    Args:
        probabilities: float32 (N, K), each row by a head that was fitted without that face.
        examples: The N faces of `validation`.
        model: The model's file.
    """
    rows = pd.DataFrame({PATH: examples.paths, _MODEL_HASH: sha256_of(model)})
    write_table(with_probabilities(rows, probabilities), model.with_name(NAME))


def read_cross_fitted(examples: Examples, *, model: Path) -> np.ndarray | None:
    """Reads the table beside a model.

    Args:
        examples: The N faces of `validation`.
        model: The model's file.

    Returns:
        float32 (N, K); None for a model without a table: it was not trained on these faces.

    Raises:
        UserError: The table is of another model or of other faces.
    """
    file = model.with_name(NAME)
    if not file.exists():
        return None
    table = read_table(file)
    if set(table[_MODEL_HASH]) != {sha256_of(model)} or list(table[PATH]) != examples.paths:
        raise UserError(
            f"{file} is not of {model} and of these records: `dvc repro {model.parent.name}` "
            "rebuilds it"
        )
    return probabilities_of(table)
