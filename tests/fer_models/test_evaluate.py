import hashlib
import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from fer_data import records
from fer_data.leaks import LEAK_FREE, LEAKY
from fer_data.params import SettingsError
from fer_data.schema import (
    FACE_SIZE,
    LABEL,
    PATH,
    PIXEL_HASH,
    PREDICTION,
    ROLE,
    TEST,
    VALIDATION,
)
from fer_data.stage import UserError
from fer_data.tables import probabilities_of, read_table, write_table
from fer_models import evaluate
from fer_models.answers import Answers
from fer_models.calibration import fit_temperature
from fer_models.conformal import set_threshold
from fer_models.cross_fitted import write_cross_fitted
from tests.fer_models.evaluations import (
    EXPRESSIONS,
    FLAGS,
    PARAMS,
    ROLE_LABELS,
    make_evaluation,
    save_tiny_model,
)

# Keras 3.15 turns a variable into an array by a call that NumPy 2 asks to be written otherwise.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
)


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    make_evaluation(tmp_path)
    monkeypatch.chdir(tmp_path)
    flags = [word for name, path in FLAGS.items() for word in (f"--{name}", path)]
    monkeypatch.setattr("sys.argv", ["evaluate", *flags])
    return tmp_path


def read_strictly(file: Path) -> dict[str, Any]:
    """JSON without NaN and Infinity, which Python would let pass."""

    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is not JSON")

    return json.loads(file.read_text(), parse_constant=refuse)


def repeatable(output: Path) -> dict[str, bytes]:
    """All files but the one that holds measured times."""
    return {file.name: file.read_bytes() for file in output.iterdir() if file.name != "cost.json"}


def test_outputs_agree_with_each_other_and_with_the_model(workspace: Path):
    evaluate.main()
    output = workspace / "reports" / "tiny"
    names = {
        "metrics.json",
        "roc.csv",
        "precision_recall.csv",
        "reliability.csv",
        "confusion.csv",
        "predictions.parquet",
        "mistakes.parquet",
        "cost.json",
        "model_card.md",
    }
    assert {file.name for file in output.iterdir()} == names

    metrics = read_strictly(output / "metrics.json")
    table = read_table(output / "predictions.parquet")
    assert list(table.columns) == [PATH, PIXEL_HASH, ROLE, LABEL, PREDICTION, "probabilities"]
    assert list(metrics) == [
        *("protocol", VALIDATION, TEST, "calibration", "conformal", "without_duplicates", "slices")
    ]
    model: Any = keras.saving.load_model(workspace / "models" / "tiny" / "model.keras")
    model.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    for role in (VALIDATION, TEST):
        figures = metrics[role]
        examples = records.read_role(workspace / "data" / "tfrecords", role)
        rows = table.loc[table[ROLE] == role]
        assert rows[PATH].tolist() == examples.paths
        assert rows[PIXEL_HASH].tolist() == examples.pixel_hashes
        assert rows[LABEL].tolist() == [EXPRESSIONS[label] for label in ROLE_LABELS[role]]
        probabilities = probabilities_of(rows)
        expected = model.predict(examples.faces, verbose=0)
        np.testing.assert_allclose(probabilities, expected, atol=1e-5)
        assert rows[PREDICTION].tolist() == [EXPRESSIONS[k] for k in probabilities.argmax(axis=1)]

        loss, accuracy = model.evaluate(examples.faces, examples.labels, verbose=0)
        assert figures["loss"]["value"] == pytest.approx(loss, rel=1e-5)
        assert figures["accuracy"]["value"] == pytest.approx(accuracy, rel=1e-6)
        assert figures["faces"] == len(rows) == len(ROLE_LABELS[role])
        crossed = pd.crosstab(rows[LABEL], rows[PREDICTION])
        crossed = crossed.reindex(index=EXPRESSIONS, columns=EXPRESSIONS, fill_value=0)
        assert figures["confusion_matrix"] == crossed.to_numpy().tolist()
        for name in ("accuracy", "loss", "macro_f1", "macro_auroc", "calibration_error"):
            assert figures[name]["low"] <= figures[name]["value"] <= figures[name]["high"], name
            assert figures[name]["low"] < figures[name]["high"], name


def test_the_temperature_is_of_validation_and_its_worth_is_of_test(workspace: Path):
    evaluate.main()
    metrics = read_strictly(workspace / "reports" / "tiny" / "metrics.json")
    calibration = metrics["calibration"]
    assert calibration["faces"] == len(ROLE_LABELS[VALIDATION])
    assert calibration["before"]["calibration_error"] == metrics[TEST]["calibration_error"]
    assert calibration["before"]["loss"] == metrics[TEST]["loss"]
    points = pd.read_csv(workspace / "reports" / "tiny" / "reliability.csv")
    assert list(points.columns) == ["temperature", "faces", "confidence", "accuracy", ROLE]
    assert set(points[ROLE]) == {TEST}
    for step in ("before", "after"):
        of_step = points.loc[points["temperature"] == step, ["faces", "confidence", "accuracy"]]
        assert of_step.to_dict("records") == calibration[step]["bins"]
        faces = sum(one["faces"] for one in calibration[step]["bins"])
        assert faces == len(ROLE_LABELS[TEST])


def test_sets_are_of_the_threshold_that_validation_chose(workspace: Path):
    evaluate.main()
    output = workspace / "reports" / "tiny"
    sets = read_strictly(output / "metrics.json")["conformal"]
    assert sets["promised"] == 0.9
    table = read_table(output / "predictions.parquet")
    for role, faces in (
        (VALIDATION, sets["faces"]),
        (TEST, sum(sets["sizes"])),
    ):
        assert faces == len(ROLE_LABELS[role])
    probabilities = probabilities_of(table[table[ROLE] == TEST])
    covered = probabilities[range(len(probabilities)), ROLE_LABELS[TEST]] >= sets["threshold"]
    assert sets["coverage"]["value"] == pytest.approx(covered.mean())


def test_slices_hold_all_test_faces_and_their_accuracy(workspace: Path):
    evaluate.main()
    metrics = read_strictly(workspace / "reports" / "tiny" / "metrics.json")
    assert list(metrics["slices"]) == ["brightness", "contrast", "sharpness", "label_quality"]
    for quarters in metrics["slices"].values():
        faces = [quarter["faces"] for quarter in quarters]
        accuracies = [quarter["accuracy"]["value"] for quarter in quarters]
        assert sum(faces) == len(ROLE_LABELS[TEST])
        accuracy = metrics[TEST]["accuracy"]["value"]
        assert np.average(accuracies, weights=faces) == pytest.approx(accuracy)
    # Label quality rises with the number of the face.
    table = read_table(workspace / "reports" / "tiny" / "predictions.parquet")
    test = table[table[ROLE] == TEST]
    first = metrics["slices"]["label_quality"][0]
    assert first["faces"] == 15
    assert first["accuracy"]["value"] == (test[LABEL] == test[PREDICTION])[:15].mean()


def test_faces_without_a_duplicate_in_training_are_measured_by_themselves(workspace: Path):
    evaluate.main()
    output = workspace / "reports" / "tiny"
    metrics = read_strictly(output / "metrics.json")
    alone = metrics["without_duplicates"]
    assert alone["faces"] == len(ROLE_LABELS[TEST]) - 20
    table = read_table(output / "predictions.parquet")
    test = table[table[ROLE] == TEST]
    accuracy = alone["accuracy"]
    assert accuracy["value"] == pytest.approx((test[LABEL] == test[PREDICTION])[20:].mean())
    assert accuracy["value"] != metrics[TEST]["accuracy"]["value"]
    assert accuracy["low"] < accuracy["value"] < accuracy["high"]
    card = (output / "model_card.md").read_text(encoding="utf-8")
    assert "On those 40 of them that have no duplicate in Training, exact or near:" in card


@pytest.mark.parametrize(
    ("role", "protocol"), [("excluded", LEAK_FREE), ("validation", LEAK_FREE), ("train", LEAKY)]
)
def test_the_protocol_is_that_of_the_split(workspace: Path, role: str, protocol: str):
    split = read_table(workspace / "assignments.parquet")
    split.loc[0, ROLE] = role
    write_table(split, workspace / "assignments.parquet")
    evaluate.main()
    output = workspace / "reports" / "tiny"
    assert read_strictly(output / "metrics.json")["protocol"] == protocol
    assert f"Protocol: {protocol}." in (output / "model_card.md").read_text(encoding="utf-8")


def test_a_split_of_other_faces_is_refused(workspace: Path):
    split = read_table(workspace / "assignments.parquet")
    write_table(split.iloc[:-2], workspace / "assignments.parquet")
    with pytest.raises(UserError, match=r"2 of 60 test faces were not split, such as test/58\.jpg"):
        evaluate.main()


def test_a_class_without_faces_is_null_in_the_metrics_and_has_no_curve(workspace: Path):
    evaluate.main()
    output = workspace / "reports" / "tiny"
    metrics = read_strictly(output / "metrics.json")
    assert metrics[VALIDATION]["per_class"]["sad"]["auroc"] is None
    assert metrics[VALIDATION]["per_class"]["sad"]["faces"] == 0
    assert 0 < metrics[TEST]["per_class"]["sad"]["auroc"] < 1
    assert metrics[VALIDATION]["per_class"]["sad"]["average_precision"] is None
    assert 0 < metrics[TEST]["per_class"]["sad"]["average_precision"] < 1
    for file, columns in (
        ("roc.csv", ["false_positive_rate", "true_positive_rate"]),
        ("precision_recall.csv", ["recall", "precision"]),
    ):
        curves = pd.read_csv(output / file)
        assert list(curves.columns) == [ROLE, "expression", *columns]
        curves_of_role = curves.groupby(ROLE)["expression"].unique().map(list).to_dict()
        assert curves_of_role == {VALIDATION: ["angry", "happy"], TEST: list(EXPRESSIONS)}


def test_the_card_is_of_the_model_its_records_and_its_figures(workspace: Path):
    evaluate.main()
    output = workspace / "reports" / "tiny"
    card = (output / "model_card.md").read_text(encoding="utf-8")
    assert card.startswith("# Model card: Tiny model\n")
    for content in (b"what it learned from", (workspace / "models/tiny/model.keras").read_bytes()):
        assert f"`{hashlib.sha256(content).hexdigest()}`" in card
    accuracy = read_strictly(output / "metrics.json")[TEST]["accuracy"]["value"]
    assert "On the 60 Testing faces" in card
    assert f"- accuracy: {100 * accuracy:.1f}" in card
    assert "77 faces of the role `train`" in card


def test_confusion_lists_the_test_faces_alone(workspace: Path):
    evaluate.main()
    output = workspace / "reports" / "tiny"
    table = read_table(output / "predictions.parquet")
    expected = table.loc[table[ROLE] == TEST, [LABEL, PREDICTION]].to_numpy().tolist()
    confusion = pd.read_csv(output / "confusion.csv")
    assert list(confusion.columns) == [LABEL, PREDICTION]
    assert confusion.to_numpy().tolist() == expected


def test_a_second_run_replaces_the_first_with_the_same_bytes(workspace: Path):
    output = workspace / "reports" / "tiny"
    evaluate.main()
    first = repeatable(output)
    (output / "left_over.txt").touch()
    evaluate.main()
    assert repeatable(output) == first
    assert "left_over.txt" not in first
    cost = read_strictly(output / "cost.json")
    file = workspace / "models" / "tiny" / "model.keras"
    assert cost["parameters"] == FACE_SIZE**2 * 3 + 3
    assert cost["file_bytes"] == file.stat().st_size
    assert cost["batch_size"] == 16
    assert cost["milliseconds_in_batch"] > 0
    assert 0 < cost["milliseconds_alone"] < 5_000
    assert cost["processor"]


def test_what_an_ensemble_says_of_its_own_faces_chooses_nothing(workspace: Path) -> None:
    """Its head was fitted on `validation`: a temperature of what it says of them would flatter it."""
    examples = records.read_role(workspace / "data" / "tfrecords", VALIDATION)
    generator = np.random.default_rng(5)
    out_of_sample = generator.dirichlet([0.3] * 3, len(examples.labels)).astype(np.float32)
    model = workspace / "models" / "tiny" / "model.keras"
    evaluate.main()
    within = read_strictly(workspace / "reports" / "tiny" / "metrics.json")
    write_cross_fitted(out_of_sample, examples, model=model)
    evaluate.main()
    metrics = read_strictly(workspace / "reports" / "tiny" / "metrics.json")
    answers = Answers(examples.labels, out_of_sample)
    logits = np.log(np.maximum(out_of_sample, 1e-7))
    assert metrics["calibration"]["temperature"] == fit_temperature(logits, examples.labels)
    assert metrics["conformal"]["threshold"] == set_threshold(answers, coverage=0.9)
    assert metrics[VALIDATION]["accuracy"]["value"] == answers.correct.mean()
    assert metrics[TEST] == within[TEST]
    save_tiny_model(model, bias=1.0)
    with pytest.raises(UserError, match=r"validation\.parquet is not of .* `dvc repro tiny`"):
        evaluate.main()


def test_operations_are_deterministic(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a GPU, some would else add in another order each time."""
    asked: list[bool] = []
    monkeypatch.setattr(tf.config.experimental, "enable_op_determinism", lambda: asked.append(True))
    evaluate.main()
    assert asked
    assert (workspace / "reports" / "tiny" / "metrics.json").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"expressions": ("happy", "angry", "sad")},
            r"models/tiny/model\.keras tells happy, angry, sad apart, in this order; expected angry, ",
        ),
        ({"expressions": tuple("abcdefg")}, "tells a, b, c, d, e, f, g apart, in this order"),
        ({"bias": float("nan")}, "the model gives NaN for 30 of 30 faces: its training diverged"),
    ],
)
def test_a_useless_model_leaves_the_old_output(
    workspace: Path, options: dict[str, Any], message: str
):
    save_tiny_model(workspace / "models" / "tiny" / "model.keras", **options)
    output = workspace / "reports" / "tiny"
    output.mkdir(parents=True)
    (output / "metrics.json").write_text("{}")
    with pytest.raises(UserError, match=message):
        evaluate.main()
    assert [file.name for file in output.parent.iterdir()] == ["tiny"]
    assert (output / "metrics.json").read_text() == "{}"


def test_settings_out_of_range_are_named(workspace: Path):
    (workspace / "params.yaml").write_text(PARAMS.replace("100,", "10,"))
    with pytest.raises(SettingsError, match=r"evaluate\.bootstrap_resamples.*got 10"):
        evaluate.main()
