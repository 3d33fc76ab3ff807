"""Predicts `train` and `validation` with one member of the ensemble, once, and saves a table.

The members are frozen, so they would give the same probabilities in every epoch of the head. The head
therefore learns from these tables. A retrained member costs its own table alone.
"""

import logging
from collections.abc import Mapping

import keras
import pandas as pd

from fer_data.core import tfrecord
from fer_data.core.files import sha256_of
from fer_data.core.schema import PATH, SPLIT
from fer_data.core.tables import with_probabilities, write_table
from fer_data.stages import stage
from fer_data.stages.input_changes import check_inputs
from fer_models.core.input_pipeline import make_repeatable
from fer_models.core.prediction import predict, read_model
from fer_models.stacking.members import MEMBER_SPLITS, MODEL_HASH

logger = logging.getLogger(__name__)

_BATCH = 128  # faces; at 299x299 pixels, the largest maps of InceptionV3 take a gigabyte


def predict_splits(
    model: keras.Model, examples: Mapping[str, tfrecord.Examples], *, num_classes: int
) -> pd.DataFrame:
    """Predicts all faces of several splits.

    Args:
        model: From uint8 faces (N, 48, 48, 1) to probabilities (N, K).
        examples: The faces of each split.
        num_classes: K.

    Returns:
        One row a face, split after split: `split`, `path` and `probabilities`.

    Raises:
        UserError: The model has another number of classes, or its output is no probability.
    """
    tables = []
    for split, faces in examples.items():
        rows = pd.DataFrame({SPLIT: split, PATH: faces.paths})
        probabilities = predict(model, faces.faces, num_classes=num_classes, batch_size=_BATCH)
        tables.append(with_probabilities(rows, probabilities))
        check_inputs()
    return pd.concat(tables, ignore_index=True)


def main() -> None:
    """Reads the records and the member, writes the table of its predictions."""
    flags = stage.parse_flags(__doc__, "records", "model", "predictions")
    make_repeatable(0, deterministic=True)
    expressions = tfrecord.expressions(flags.records)
    model = read_model(flags.model, expressions=expressions)
    examples = {split: tfrecord.read_split(flags.records, split) for split in MEMBER_SPLITS}
    predictions = predict_splits(model, examples, num_classes=len(expressions))
    predictions = predictions.assign(**{MODEL_HASH: sha256_of(flags.model)})
    write_table(predictions, flags.predictions, expressions=expressions)
    logger.info(
        "member_predictions: %s on %d faces -> %s",
        *(flags.model, len(predictions), flags.predictions),
    )


if __name__ == "__main__":
    stage.run(main)
