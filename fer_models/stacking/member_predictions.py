"""Runs a frozen member of the ensemble once over `train` and `validation`, and keeps what it says.

An ensemble's head then learns from the table, as if the member ran in every epoch, which would give the
same outputs each time. A retrained member costs its own table alone.
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


def frozen_outputs(
    model: keras.Model, examples: Mapping[str, tfrecord.Examples], *, num_classes: int
) -> pd.DataFrame:
    """What a member says of all faces.

    Args:
        model: From uint8 faces (N, 48, 48, 1) to probabilities (N, K).
        examples: The faces of each split.
        num_classes: K.

    Returns:
        One row a face, split after split: `split`, `path` and `probabilities`.

    Raises:
        UserError: The model has another number of classes, or gives what is no probability.
    """
    tables = []
    for split, asked in examples.items():
        rows = pd.DataFrame({SPLIT: split, PATH: asked.paths})
        said = predict(model, asked.faces, num_classes=num_classes, batch_size=_BATCH)
        tables.append(with_probabilities(rows, said))
        check_inputs()
    return pd.concat(tables, ignore_index=True)


def main() -> None:
    """Reads the records and the member, writes its outputs."""
    flags = stage.parse_flags(__doc__, "records", "model", "outputs")
    make_repeatable(0, deterministic=True)
    expressions = tfrecord.expressions(flags.records)
    model = read_model(flags.model, expressions=expressions)
    examples = {split: tfrecord.read_split(flags.records, split) for split in MEMBER_SPLITS}
    outputs = frozen_outputs(model, examples, num_classes=len(expressions))
    outputs = outputs.assign(**{MODEL_HASH: sha256_of(flags.model)})
    write_table(outputs, flags.outputs, expressions=expressions)
    logger.info("frozen: %s on %d faces -> %s", flags.model, len(outputs), flags.outputs)


if __name__ == "__main__":
    stage.run(main)
