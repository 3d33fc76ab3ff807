"""Evaluates a trained model on `validation` and `test`: metrics, curves, predictions and a card.

Run it with `dvc repro evaluate@scratch`; 10,000 faces take a few seconds on two cores.
"""

import logging
import time
from collections.abc import Mapping

import numpy as np
import pandas as pd

from fer_data.core import tfrecord
from fer_data.core.files import atomic_write
from fer_data.core.schema import LABEL, PATH, PIXEL_HASH, PREDICTION, SPLIT, TEST, VALIDATION
from fer_data.core.tables import read_json, read_table, with_probabilities, write_table
from fer_data.splitting.leaks import protocol_of
from fer_data.stages import stage
from fer_data.stages.settings import read_settings
from fer_models.core.input_pipeline import make_repeatable
from fer_models.core.out_of_sample import read_cross_fitted
from fer_models.core.prediction import predict, read_model
from fer_models.evaluation.all_metrics import model_metrics
from fer_models.evaluation.evaluate_settings import EvaluateSettings
from fer_models.evaluation.latency import cost_of
from fer_models.evaluation.model_card import hashes_of, model_card
from fer_models.evaluation.slices import has_duplicate, image_qualities, label_qualities
from fer_models.evaluation.top_losses import confident_mistakes
from fer_models.metrics.curves import curve_tables
from fer_models.metrics.prediction_table import Predictions

logger = logging.getLogger(__name__)

EVALUATED_SPLITS = (VALIDATION, TEST)
_NUM_MISTAKES = 24


def prediction_table(
    examples: Mapping[str, tfrecord.Examples],
    predictions: Mapping[str, Predictions],
    *,
    expressions: tuple[str, ...],
) -> pd.DataFrame:
    """Builds the table of predictions.

    Args:
        examples: The faces of each split.
        predictions: The model's predictions for them.
        expressions: The K classes, in the order of the columns.

    Returns:
        One row a face: `path`, `pixel_hash`, `split`, `label` and `prediction` (expressions) and
        `probabilities`.
    """
    names = np.array(expressions, dtype=object)
    tables: list[pd.DataFrame] = []
    for split, faces in examples.items():
        columns = {
            PATH: faces.paths,
            PIXEL_HASH: faces.pixel_hashes,
            SPLIT: split,
            LABEL: names[faces.labels],
            PREDICTION: names[predictions[split].predicted_labels],
        }
        tables.append(with_probabilities(pd.DataFrame(columns), predictions[split].probabilities))
    return pd.concat(tables, ignore_index=True)


def main() -> None:
    """Reads the records and the model, writes the folder of the model's evaluation."""
    flags = stage.parse_flags(
        __doc__, "records", "model", "training", "assignments", "testing_quality", "output"
    )
    settings = read_settings(EvaluateSettings, "evaluate")
    expressions = tfrecord.expressions(flags.records)
    make_repeatable(settings.seed, deterministic=True)
    training, hashes = read_json(flags.training), hashes_of(flags.model, flags.records)
    model = read_model(flags.model, expressions=expressions)
    examples = {split: tfrecord.read_split(flags.records, split) for split in EVALUATED_SPLITS}
    test = examples[TEST]
    rated = label_qualities(read_table(flags.testing_quality), test.paths)
    assignments = read_table(flags.assignments)
    predictions: dict[str, Predictions] = {}
    seconds: dict[str, float] = {}
    for split, faces in examples.items():
        started = time.perf_counter()
        probabilities = predict(
            model, faces.faces, num_classes=len(expressions), batch_size=settings.batch_size
        )
        seconds[split] = time.perf_counter() - started
        predictions[split] = Predictions(faces.labels, probabilities)
    out_of_sample = read_cross_fitted(examples[VALIDATION], model=flags.model)
    if out_of_sample is not None:  # in-sample predictions are too good to choose on
        predictions[VALIDATION] = Predictions(examples[VALIDATION].labels, out_of_sample)
    metrics = {
        "protocol": protocol_of(assignments),
        **model_metrics(
            predictions,
            image_qualities(test.faces) | rated,
            has_duplicate(assignments, test.paths),
            expressions=expressions,
            settings=settings,
        ),
    }
    # The time of `test`, since the prediction of `validation` includes the tracing of the graph.
    cost = cost_of(
        *(model, flags.model, test.faces), batch_size=settings.batch_size, seconds=seconds[TEST]
    )
    table = prediction_table(examples, predictions, expressions=expressions)
    mistakes = confident_mistakes(
        predictions[TEST],
        paths=test.paths,
        faces=test.faces,
        expressions=expressions,
        number=_NUM_MISTAKES,
    )
    with atomic_write(flags.output, replace_folder=True) as folder:
        folder.mkdir()
        text = stage.json_text(metrics, of=flags.output / "metrics.json")
        (folder / "metrics.json").write_text(text, encoding="utf-8")
        # Apart from the metrics, which are the same in every run.
        text = stage.json_text(cost, of=flags.output / "cost.json")
        (folder / "cost.json").write_text(text, encoding="utf-8")
        card = model_card(training, metrics, hashes)
        (folder / "model_card.md").write_text(card, encoding="utf-8")
        curves = curve_tables(predictions, metrics["calibration"], expressions=expressions)
        for name, points in curves.items():
            points.to_csv(folder / name, index=False)
        of_test = table.loc[table[SPLIT] == TEST, [LABEL, PREDICTION]]
        of_test.to_csv(folder / "confusion.csv", index=False)
        write_table(table, folder / "predictions.parquet", expressions=expressions)
        write_table(mistakes, folder / "mistakes.parquet")
    accuracies = (
        "{} accuracy {value:.4f} ({low:.4f} to {high:.4f})".format(
            split, **metrics[split]["accuracy"]
        )
        for split in EVALUATED_SPLITS
    )
    logger.info(
        "evaluate: %d faces, %s; %s -> %s",
        *(len(table), ", ".join(accuracies), metrics["protocol"], flags.output),
    )


if __name__ == "__main__":
    stage.run(main)
