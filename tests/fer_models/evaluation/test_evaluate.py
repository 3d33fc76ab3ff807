import hashlib
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from fer_data.core import tfrecord
from fer_data.core.errors import UserError
from fer_data.core.schema import (
    FACE_SIZE,
    LABEL,
    PATH,
    PIXEL_HASH,
    PREDICTION,
    SPLIT,
    TEST,
    VALIDATION,
)
from fer_data.core.tables import probabilities_of, read_table
from fer_data.stages.settings import SettingsError
from fer_models.evaluation import evaluate
from tests.support.models.evaluation_inputs import (
    EXPRESSIONS,
    PARAMS,
    SPLIT_LABELS,
    read_strictly,
    save_tiny_model,
)

# Keras 3.15 turns a variable into an array by a call that NumPy 2 asks to be written otherwise.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
)


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
    assert list(table.columns) == [PATH, PIXEL_HASH, SPLIT, LABEL, PREDICTION, "probabilities"]
    assert list(metrics) == [
        *("protocol", VALIDATION, TEST, "calibration", "conformal", "without_duplicates", "slices")
    ]
    model: Any = keras.saving.load_model(workspace / "models" / "tiny" / "model.keras")
    model.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    for split in (VALIDATION, TEST):
        figures = metrics[split]
        examples = tfrecord.read_split(workspace / "data" / "tfrecords", split)
        rows = table.loc[table[SPLIT] == split]
        assert rows[PATH].tolist() == examples.paths
        assert rows[PIXEL_HASH].tolist() == examples.pixel_hashes
        assert rows[LABEL].tolist() == [EXPRESSIONS[label] for label in SPLIT_LABELS[split]]
        probabilities = probabilities_of(rows)
        expected = model.predict(examples.faces, verbose=0)
        np.testing.assert_allclose(probabilities, expected, atol=1e-5)
        assert rows[PREDICTION].tolist() == [EXPRESSIONS[k] for k in probabilities.argmax(axis=1)]

        loss, accuracy = model.evaluate(examples.faces, examples.labels, verbose=0)
        assert figures["loss"]["value"] == pytest.approx(loss, rel=1e-5)
        assert figures["accuracy"]["value"] == pytest.approx(accuracy, rel=1e-6)
        assert figures["faces"] == len(rows) == len(SPLIT_LABELS[split])
        crossed = pd.crosstab(rows[LABEL], rows[PREDICTION])
        crossed = crossed.reindex(index=EXPRESSIONS, columns=EXPRESSIONS, fill_value=0)
        assert figures["confusion_matrix"] == crossed.to_numpy().tolist()
        for name in ("accuracy", "loss", "macro_f1", "macro_auroc", "calibration_error"):
            assert figures[name]["low"] <= figures[name]["value"] <= figures[name]["high"], name
            assert figures[name]["low"] < figures[name]["high"], name


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
        assert list(curves.columns) == [SPLIT, "expression", *columns]
        curves_of_split = curves.groupby(SPLIT)["expression"].unique().map(list).to_dict()
        assert curves_of_split == {VALIDATION: ["angry", "happy"], TEST: list(EXPRESSIONS)}


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
    assert "77 faces of the split `train`" in card


def test_confusion_lists_the_test_faces_alone(workspace: Path):
    evaluate.main()
    output = workspace / "reports" / "tiny"
    table = read_table(output / "predictions.parquet")
    expected = table.loc[table[SPLIT] == TEST, [LABEL, PREDICTION]].to_numpy().tolist()
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
