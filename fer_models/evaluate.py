"""Measures a trained model on `validation` and `test`: metrics, curves, confusion and predictions.

Run it with `dvc repro evaluate@scratch`; 10,000 faces take a few seconds on two cores.
"""

import json
import logging
import time
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from pydantic import Field

from fer_data import records, stage
from fer_data.params import Settings, read_settings
from fer_data.schema import LABEL, PATH, PIXEL_HASH, PREDICTION, ROLE, TEST, VALIDATION
from fer_data.tables import with_probabilities, write_table
from fer_models.answers import Answers
from fer_models.conformal import conformal
from fer_models.cost import cost_of
from fer_models.inference import predict, read_model
from fer_models.intervals import bootstrap_intervals
from fer_models.metrics import class_measures, confusion_counts, headlines, roc_points
from fer_models.mistakes import confident_mistakes
from fer_models.precision_recall import average_precisions, precision_recall_points
from fer_models.reliability import calibration
from fer_models.slices import accuracy_by_quarter, picture_qualities

logger = logging.getLogger(__name__)

EVALUATED_ROLES = (VALIDATION, TEST)
_NUM_MISTAKES = 24


class EvaluateSettings(Settings):
    """Section `evaluate`."""

    batch_size: int = Field(ge=1)
    """Faces that the model sees at once: a matter of speed, memory and the figures' last bits."""
    bootstrap_resamples: int = Field(ge=100)
    """How many resamples give the intervals."""
    calibration_bins: int = Field(ge=1)
    """Bins of equal width of the calibration error."""
    coverage: float = Field(gt=0, lt=1)
    """How often a set of expressions is to hold the given label."""
    seed: int = Field(ge=0)
    """Seed of the resamples."""


def measure(
    labels: np.ndarray,
    probabilities: np.ndarray,
    *,
    expressions: tuple[str, ...],
    settings: EvaluateSettings,
) -> dict[str, Any]:
    """All measures of one role.

    Args:
        labels: int64 (N,), 0 to K - 1.
        probabilities: float32 (N, K).
        expressions: The K classes, in the order of the columns.
        settings: Number of resamples and bins, and the seed.

    Returns:
        What `metrics.json` holds of a role: `faces`; for `accuracy`, `loss` (nats), `macro_f1`,
        `macro_auroc` and `calibration_error` the `value` with the ends `low` and `high` of its 95 %
        bootstrap interval; `per_class`; and `confusion_matrix`, counts, a row a label and a column a
        prediction. What is not defined is None.

    Raises:
        ValueError: The shapes do not fit, labels are not classes, or probabilities are not from 0 to 1.
    """
    intervals = bootstrap_intervals(
        partial(headlines, labels, probabilities, num_bins=settings.calibration_bins),
        len(labels),
        num_resamples=settings.bootstrap_resamples,
        seed=settings.seed,
    )
    predictions = probabilities.argmax(axis=1)
    return {
        "faces": len(labels),
        **{name: asdict(interval) for name, interval in intervals.items()},
        "per_class": class_measures(labels, probabilities, expressions=expressions),
        "confusion_matrix": confusion_counts(labels, predictions, len(expressions)).tolist(),
    }


def measure_all(
    answers: Mapping[str, Answers],
    test_faces: np.ndarray,
    *,
    expressions: tuple[str, ...],
    settings: EvaluateSettings,
) -> dict[str, Any]:
    """All measures of a model.

    Args:
        answers: What it says of the faces of `validation` and of `test`.
        test_faces: uint8 (N, 48, 48, 1), those of `test`.
        expressions: The K classes, in the order of the columns.
        settings: Number of resamples and bins, and the seed.

    Returns:
        What `metrics.json` holds: for each role what `measure` returns, with each class's
        `average_precision`; and what was chosen on
        `validation` and measured on `test`: `calibration` and `conformal`, as the functions of these
        names return them. Besides `slices`: accuracy on `test` by what the picture is like.
    """
    roles = {
        role: measure(said.labels, said.probabilities, expressions=expressions, settings=settings)
        for role, said in answers.items()
    }
    for role, said in answers.items():
        for expression, average in average_precisions(said, expressions=expressions).items():
            roles[role]["per_class"][expression]["average_precision"] = average
    resamples = {"num_resamples": settings.bootstrap_resamples, "seed": settings.seed}
    return {
        **roles,
        "calibration": calibration(
            answers[VALIDATION], answers[TEST], num_bins=settings.calibration_bins, **resamples
        ),
        "conformal": conformal(
            answers[VALIDATION],
            answers[TEST],
            expressions=expressions,
            coverage=settings.coverage,
            **resamples,
        ),
        "slices": accuracy_by_quarter(
            answers[TEST].correct, picture_qualities(test_faces), **resamples
        ),
    }


def prediction_table(
    examples: records.Examples,
    probabilities: np.ndarray,
    *,
    role: str,
    expressions: tuple[str, ...],
) -> pd.DataFrame:
    """What the model says of each face.

    Args:
        examples: The N faces of a role.
        probabilities: float32 (N, K).
        role: The role.
        expressions: The K classes, in the order of the columns.

    Returns:
        One row a face: `path`, `pixel_hash`, `role`, `label` and `prediction` (expressions) and
        `probabilities`.
    """
    names = np.array(expressions, dtype=object)
    columns = {
        PATH: examples.paths,
        PIXEL_HASH: examples.pixel_hashes,
        ROLE: role,
        LABEL: names[examples.labels],
        PREDICTION: names[probabilities.argmax(axis=1)],
    }
    return with_probabilities(pd.DataFrame(columns), probabilities)


def main() -> None:
    """Reads the records and the model, writes the folder of the model's evaluation."""
    flags = stage.parse_flags(__doc__, "records", "model", "output")
    settings = read_settings(EvaluateSettings, "evaluate")
    expressions = records.expressions(flags.records)
    model = read_model(flags.model)
    examples = {role: records.read_role(flags.records, role) for role in EVALUATED_ROLES}
    answers: dict[str, Answers] = {}
    predictions: list[pd.DataFrame] = []
    curves: dict[str, list[pd.DataFrame]] = {"roc.csv": [], "precision_recall.csv": []}
    seconds: dict[str, float] = {}
    for role, asked in examples.items():
        started = time.perf_counter()
        probabilities = predict(
            model, asked.faces, num_classes=len(expressions), batch_size=settings.batch_size
        )
        seconds[role] = time.perf_counter() - started
        answers[role] = Answers(asked.labels, probabilities)
        table = prediction_table(asked, probabilities, role=role, expressions=expressions)
        predictions.append(table)
        points = {
            "roc.csv": roc_points(asked.labels, probabilities, expressions=expressions),
            "precision_recall.csv": precision_recall_points(answers[role], expressions=expressions),
        }
        for name, parts in curves.items():
            points[name].insert(0, ROLE, role)
            parts.append(points[name])
    metrics = measure_all(answers, examples[TEST].faces, expressions=expressions, settings=settings)
    mistakes = confident_mistakes(
        answers[TEST],
        paths=examples[TEST].paths,
        faces=examples[TEST].faces,
        expressions=expressions,
        number=_NUM_MISTAKES,
    )
    faces = pd.concat(predictions, ignore_index=True)
    # After `validation`, which compiled the graph: the time of `test` is the model's alone.
    cost = cost_of(
        model,
        flags.model,
        examples[TEST].faces,
        batch_size=settings.batch_size,
        seconds=seconds[TEST],
    )
    with stage.written_beside(flags.output) as folder:
        folder.mkdir()
        text = json.dumps(metrics, indent=2, allow_nan=False) + "\n"
        (folder / "metrics.json").write_text(text, encoding="utf-8")
        # Apart from the metrics, which are the same in every run.
        (folder / "cost.json").write_text(json.dumps(cost, indent=2) + "\n", encoding="utf-8")
        for name, parts in curves.items():
            pd.concat(parts, ignore_index=True).to_csv(folder / name, index=False)
        test_faces = faces.loc[faces[ROLE] == TEST, [LABEL, PREDICTION]]
        test_faces.to_csv(folder / "confusion.csv", index=False)
        write_table(faces, folder / "predictions.parquet")
        write_table(mistakes, folder / "mistakes.parquet")
    accuracies = (
        "{} accuracy {value:.4f} ({low:.4f} to {high:.4f})".format(
            role, **metrics[role]["accuracy"]
        )
        for role in EVALUATED_ROLES
    )
    logger.info("evaluate: %d faces, %s -> %s", len(faces), ", ".join(accuracies), flags.output)


if __name__ == "__main__":
    stage.run(main)
