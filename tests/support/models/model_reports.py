"""Made-up reports of `train` and `evaluate`, for the tests of the page about the models."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fer_data.core.schema import TEST, VALIDATION
from fer_data.core.tables import write_table
from fer_data.splitting.leaks import LEAK_FREE
from fer_models.evaluation.model_card import Hashes, model_card
from fer_models.reporting.load import ModelReport, read_model
from fer_models.reporting.metric_changes import Accepted
from fer_models.reporting.outcomes import outcomes_of
from fer_models.reporting.report import report_page
from fer_models.reporting.report_settings import Peer, SeedSpread

EXPRESSIONS = ("angry", "fear", "happy", "neutral", "sad", "surprise")
COMBINATIONS = {
    "faces": 2_781,
    "members": {
        "resnet50": {"accuracy": 0.6211, "loss": 1.041, "temperature": 1.374},
        "mobilenetv2": {"accuracy": 0.6027, "loss": 1.098, "temperature": 1.291},
        "inceptionv3": {"accuracy": 0.5933, "loss": 1.153, "temperature": 0.953},
    },
    "ways": {
        "mean": {
            **{"accuracy": 0.6347, "loss": 0.989},
            "gain": {"value": 0.0136, "low": 0.0021, "high": 0.0252},
        },
        "calibrated_mean": {
            **{"accuracy": 0.6351, "loss": 0.981},
            "gain": {"value": 0.014, "low": 0.0025, "high": 0.0259},
        },
        "stacked": {
            **{"accuracy": 0.6342, "loss": 0.985},
            "gain": {"value": 0.0131, "low": 0.0017, "high": 0.0248},
        },
        "head": {
            **{"accuracy": 0.6131, "loss": 1.062},
            "gain": {"value": -0.008, "low": -0.0193, "high": 0.0031},
        },
    },
    "best_member": "resnet50",
    "winner": "calibrated_mean",
    "best_way": "calibrated_mean",
    "chosen": "calibrated_mean",
    "chosen_by": "best",
    "folds": 5,
}
"""What the ensemble's `summary.json` holds besides."""
COST = {
    "parameters": 322_118,
    "file_bytes": 1_334_000,
    "processor": "Example 9000, 2 threads",
    "milliseconds_alone": 12.34,
    "milliseconds_in_batch": 0.567,
    "batch_size": 128,
}
PAPER = {"accuracy": None, "loss": None, "val_accuracy": 0.5776, "val_loss": None}


def figure(value: float, half: float) -> dict[str, float]:
    return {"value": value, "low": value - half, "high": value + half}


def measured(accuracy: float, *, faces: int, seed: int) -> dict[str, Any]:
    generator = np.random.default_rng(seed)
    matrix = generator.multinomial(faces // 36, np.full(6, 1 / 6), size=6)
    matrix[np.diag_indices(6)] += faces // 9

    per_class = {
        name: {
            "precision": 0.5,
            "recall": 0.6,
            "f1": 0.545,
            "auroc": 0.75 + 0.04 * number,
            "average_precision": 0.45 + 0.07 * number,
            "faces": 7,
        }
        for number, name in enumerate(EXPRESSIONS)
    }
    return {
        "faces": faces,
        "accuracy": figure(accuracy, 0.011),
        "loss": figure(1.123, 0.02),
        "macro_f1": figure(0.534, 0.012),
        "macro_auroc": figure(0.861, 0.006),
        "calibration_error": figure(0.041, 0.009),
        "per_class": per_class,
        "confusion_matrix": matrix.tolist(),
    }


def calibration() -> dict[str, Any]:
    confidences = np.linspace(0.25, 0.95, 8)

    def step(error: float, loss: float, honesty: float) -> dict[str, Any]:
        bins = [
            {"faces": 883, "confidence": one, "accuracy": honesty * one}
            for one in confidences.tolist()
        ]
        errors = {"calibration_error": figure(error, 0.009), "loss": figure(loss, 0.02)}
        return {**errors, "bins": bins}

    steps = {"before": step(0.041, 1.123, 0.9), "after": step(0.012, 1.101, 1.0)}
    return {"temperature": 1.184, "faces": 2_781, **steps}


def conformal() -> dict[str, Any]:
    per_class = {
        name: {"coverage": 0.85 + 0.02 * number, "mean_size": 2.5 - 0.2 * number}
        for number, name in enumerate(EXPRESSIONS)
    }
    return {
        **{"promised": 0.9, "threshold": 0.1234, "faces": 2_781},
        "coverage": figure(0.8973, 0.007),
        "mean_size": figure(2.153, 0.03),
        "sizes": [13, 2_554, 1_800, 1_500, 800, 300, 100],
        "per_class": per_class,
    }


def slices() -> dict[str, Any]:
    return {
        quality: [
            {
                **{"from": 40.0 * number, "to": 40.0 * number + 39, "faces": 1_767},
                "accuracy": figure(0.5 + 0.03 * number, 0.02),
            }
            for number in range(4)
        ]
        for quality in ("brightness", "contrast", "sharpness", "label_quality")
    }


def predictions(accuracy: float) -> pd.DataFrame:
    """Of the first test faces all right, of the others none: two models differ as much as they can."""
    right = np.arange(7_067) < round(7_067 * accuracy)
    columns = {
        "path": [f"Testing/sad/{place}.jpg" for place in range(7_067)],
        "pixel_hash": [f"{place:064x}" for place in range(7_067)],
        "split": TEST,
        "label": "sad",
        "prediction": np.where(right, "sad", "happy"),
    }
    return pd.DataFrame(columns)


def mistakes(number: int = 24) -> pd.DataFrame:
    generator = np.random.default_rng(3)
    faces = generator.integers(0, 256, (number, 48, 48), np.uint8)
    columns = {
        "path": [f"Testing/sad/{place}.jpg" for place in range(number)],
        "label": "sad",
        "prediction": "happy",
        "confidence": np.linspace(0.99, 0.9, number, dtype=np.float32),
        "label_probability": np.float32(0.004),
        "pixels": [face.tobytes() for face in faces],
    }
    return pd.DataFrame(columns)


def write_reports(
    folder: Path, *, name: str = "scratch", test_accuracy: float = 0.5612, **summary: Any
) -> None:
    train, evaluate = folder / "train" / name, folder / "evaluate" / name
    train.mkdir(parents=True)
    evaluate.mkdir(parents=True)
    epochs = np.arange(1, 13)
    rising = 1 - np.exp(-epochs / 4)
    columns = {
        "epoch": epochs,
        "accuracy": 0.2 + 0.42 * rising,
        "loss": 1.8 - 0.8 * rising,
        "val_accuracy": 0.25 + 0.31 * rising,
        "val_loss": 1.75 - 0.6 * rising + 0.01 * epochs,
        "seconds": 12.5,
    }
    pd.DataFrame(columns).to_csv(train / "history.csv", index=False)
    values = {
        "model": name,
        "title": "Eleven-layer CNN from scratch",
        "parameters": 322_118,
        "epochs": 12,
        "saved_epoch": 10,
        "seconds": 930.0,
        "seed": 0,
        "train_faces": 24_955,
        "validation_faces": 2_781,
        "training": {"accuracy": 0.6321, "loss": 0.987},
        "paper": PAPER,
        "settings": {"epochs": 12, "optimizer": "rmsprop", "head": {"units": [128, 6]}},
    }
    (train / "summary.json").write_text(json.dumps(values | summary))
    splits = {
        "protocol": LEAK_FREE,
        VALIDATION: measured(0.5701, faces=2_781, seed=1),
        TEST: measured(test_accuracy, faces=7_067, seed=2),
        "calibration": calibration(),
        "conformal": conformal(),
        "without_duplicates": {"faces": 6_257, "accuracy": figure(0.5387, 0.012)},
        "slices": slices(),
    }
    (evaluate / "metrics.json").write_text(json.dumps(splits))
    card = model_card(values | summary, splits, Hashes(model="a" * 64, train_records="b" * 64))
    (evaluate / "model_card.md").write_text(card, encoding="utf-8")
    (evaluate / "cost.json").write_text(json.dumps(COST))
    write_table(predictions(test_accuracy), evaluate / "predictions.parquet")
    write_table(mistakes(), evaluate / "mistakes.parquet")
    rates = np.linspace(0, 1, 50)
    for file, (x, y) in {
        "roc.csv": ("false_positive_rate", "true_positive_rate"),
        "precision_recall.csv": ("recall", "precision"),
    }.items():
        curves = [
            pd.DataFrame(
                {"split": split, "expression": name, x: rates, y: rates ** (1 / (number + 3))}
            )
            for split in (VALIDATION, TEST)
            for number, name in enumerate(EXPRESSIONS)
        ]
        pd.concat(curves).to_csv(evaluate / file, index=False)


def model_from(folder: Path, name: str = "scratch") -> ModelReport:
    return read_model(folder / "train", folder / "evaluate", name=name)


def page_of(
    *models: ModelReport,
    accepted: Accepted | None = None,
    seed_spread: dict[str, SeedSpread | None] | None = None,
    decisions: dict[str, Any] | None = None,
    peer: Peer | None = None,
) -> str:
    return report_page(
        models, accepted=accepted, seed_spread=seed_spread or {}, decisions=decisions, peer=peer
    )


def text_of(page: str) -> str:
    return re.sub(r"[ \n]+", " ", page)


def accepted_when(
    test_accuracy: float, *, model: str = "scratch", outcomes: bool = False
) -> Accepted:
    """The figures of `write_reports`, save that accuracy on test was another.

    Of earlier versions, which did not keep what was predicted rightly; or with the predictions.
    """
    figures = {"accuracy": 0.5701, "macro_f1": 0.534, "macro_auroc": None}
    splits = {VALIDATION: figures, TEST: figures | {"accuracy": test_accuracy}}
    kept = {model: {TEST: outcomes_of(predictions(test_accuracy))}} if outcomes else {}
    return Accepted(
        by="ann",
        at="2026-01-31T10:00:00Z",
        num_decisions=1234,
        metrics={model: splits},
        outcomes=kept,
    )
