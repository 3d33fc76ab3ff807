from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fer_data.core import tfrecord
from fer_data.core.errors import UserError
from fer_data.core.schema import LABEL, PREDICTION, SPLIT, TEST, VALIDATION
from fer_data.core.tables import probabilities_of, read_table, write_table
from fer_data.splitting.leaks import LEAK_FREE, LEAKY
from fer_models.calibration.conformal import set_threshold
from fer_models.calibration.temperature_scaling import fit_temperature
from fer_models.core.out_of_sample import write_cross_fitted
from fer_models.evaluation import evaluate
from fer_models.metrics.prediction_table import Predictions
from tests.support.models.evaluation_inputs import (
    SPLIT_LABELS,
    read_strictly,
    save_tiny_model,
)

# Keras 3.15 turns a variable into an array by a call that NumPy 2 asks to be written otherwise.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
)


def test_the_temperature_is_of_validation_and_its_worth_is_of_test(workspace: Path):
    evaluate.main()
    metrics = read_strictly(workspace / "reports" / "tiny" / "metrics.json")
    calibration = metrics["calibration"]
    assert calibration["faces"] == len(SPLIT_LABELS[VALIDATION])
    assert calibration["before"]["calibration_error"] == metrics[TEST]["calibration_error"]
    assert calibration["before"]["loss"] == metrics[TEST]["loss"]
    points = pd.read_csv(workspace / "reports" / "tiny" / "reliability.csv")
    assert list(points.columns) == ["temperature", "faces", "confidence", "accuracy", SPLIT]
    assert set(points[SPLIT]) == {TEST}
    for step in ("before", "after"):
        of_step = points.loc[points["temperature"] == step, ["faces", "confidence", "accuracy"]]
        assert of_step.to_dict("records") == calibration[step]["bins"]
        faces = sum(one["faces"] for one in calibration[step]["bins"])
        assert faces == len(SPLIT_LABELS[TEST])


def test_sets_are_of_the_threshold_that_validation_chose(workspace: Path):
    evaluate.main()
    output = workspace / "reports" / "tiny"
    sets = read_strictly(output / "metrics.json")["conformal"]
    assert sets["promised"] == 0.9
    table = read_table(output / "predictions.parquet")
    for split, faces in (
        (VALIDATION, sets["faces"]),
        (TEST, sum(sets["sizes"])),
    ):
        assert faces == len(SPLIT_LABELS[split])
    probabilities = probabilities_of(table[table[SPLIT] == TEST])
    covered = probabilities[range(len(probabilities)), SPLIT_LABELS[TEST]] >= sets["threshold"]
    assert sets["coverage"]["value"] == pytest.approx(covered.mean())


def test_slices_hold_all_test_faces_and_their_accuracy(workspace: Path):
    evaluate.main()
    metrics = read_strictly(workspace / "reports" / "tiny" / "metrics.json")
    assert list(metrics["slices"]) == ["brightness", "contrast", "sharpness", "label_quality"]
    for quarters in metrics["slices"].values():
        faces = [quarter["faces"] for quarter in quarters]
        accuracies = [quarter["accuracy"]["value"] for quarter in quarters]
        assert sum(faces) == len(SPLIT_LABELS[TEST])
        accuracy = metrics[TEST]["accuracy"]["value"]
        assert np.average(accuracies, weights=faces) == pytest.approx(accuracy)
    # Label quality rises with the number of the face.
    table = read_table(workspace / "reports" / "tiny" / "predictions.parquet")
    test = table[table[SPLIT] == TEST]
    first = metrics["slices"]["label_quality"][0]
    assert first["faces"] == 15
    assert first["accuracy"]["value"] == (test[LABEL] == test[PREDICTION])[:15].mean()


def test_faces_without_a_duplicate_in_training_are_measured_by_themselves(workspace: Path):
    evaluate.main()
    output = workspace / "reports" / "tiny"
    metrics = read_strictly(output / "metrics.json")
    alone = metrics["without_duplicates"]
    assert alone["faces"] == len(SPLIT_LABELS[TEST]) - 20
    table = read_table(output / "predictions.parquet")
    test = table[table[SPLIT] == TEST]
    accuracy = alone["accuracy"]
    assert accuracy["value"] == pytest.approx((test[LABEL] == test[PREDICTION])[20:].mean())
    assert accuracy["value"] != metrics[TEST]["accuracy"]["value"]
    assert accuracy["low"] < accuracy["value"] < accuracy["high"]
    card = (output / "model_card.md").read_text(encoding="utf-8")
    assert "On those 40 of them that have no duplicate in Training, exact or near:" in card


@pytest.mark.parametrize(
    ("split", "protocol"), [("excluded", LEAK_FREE), ("validation", LEAK_FREE), ("train", LEAKY)]
)
def test_the_protocol_is_that_of_the_split(workspace: Path, split: str, protocol: str):
    assignments = read_table(workspace / "assignments.parquet")
    assignments.loc[0, SPLIT] = split
    write_table(assignments, workspace / "assignments.parquet")
    evaluate.main()
    output = workspace / "reports" / "tiny"
    assert read_strictly(output / "metrics.json")["protocol"] == protocol
    assert f"Protocol: {protocol}." in (output / "model_card.md").read_text(encoding="utf-8")


def test_a_split_of_other_faces_is_refused(workspace: Path):
    assignments = read_table(workspace / "assignments.parquet")
    write_table(assignments.iloc[:-2], workspace / "assignments.parquet")
    with pytest.raises(UserError, match=r"2 of 60 faces have no leak in .*, such as test/58\.jpg"):
        evaluate.main()


def test_what_an_ensemble_says_of_its_own_faces_chooses_nothing(workspace: Path) -> None:
    """Its head was fitted on `validation`: a temperature of what it says of them would flatter it."""
    examples = tfrecord.read_split(workspace / "data" / "tfrecords", VALIDATION)
    generator = np.random.default_rng(5)
    out_of_sample = generator.dirichlet([0.3] * 3, len(examples.labels)).astype(np.float32)
    model = workspace / "models" / "tiny" / "model.keras"
    evaluate.main()
    within = read_strictly(workspace / "reports" / "tiny" / "metrics.json")
    write_cross_fitted(out_of_sample, examples, model=model)
    evaluate.main()
    metrics = read_strictly(workspace / "reports" / "tiny" / "metrics.json")
    predictions = Predictions(examples.labels, out_of_sample)
    logits = np.log(np.maximum(out_of_sample, 1e-7))
    assert metrics["calibration"]["temperature"] == fit_temperature(logits, examples.labels)
    assert metrics["conformal"]["threshold"] == set_threshold(predictions, coverage=0.9)
    assert metrics[VALIDATION]["accuracy"]["value"] == predictions.correct.mean()
    assert metrics[TEST] == within[TEST]
    save_tiny_model(model, bias=1.0)
    with pytest.raises(UserError, match=r"validation\.parquet is not of .* `dvc repro tiny`"):
        evaluate.main()
