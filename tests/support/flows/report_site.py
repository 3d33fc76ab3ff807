"""A workspace whose stages seem to have run: the reports that are published, small, without images."""

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd

from fer_data.core.schema import DECISION_COLUMNS
from flows.publishing.publish import PublishSettings

ROOT = Path(__file__).parents[3]
MACRO_F1 = {"scratch": 0.80, "ensemble": 0.70}
"""Macro-F1 on validation of the models that the workspace has; intervals reach 0.05 to both sides."""


def make_reports(folder: Path, **macro_f1: float) -> Path:
    """Makes a workspace of `dvc.yaml`, `params.yaml` and the reports; gives its folder.

    Args:
        folder: The workspace, made if need be.
        **macro_f1: Macro-F1 on validation, by model, in place of `MACRO_F1`.
    """
    folder.mkdir(exist_ok=True)
    for name in ("dvc.yaml", "params.yaml"):
        shutil.copyfile(ROOT / name, folder / name)
    write_reports(folder, **macro_f1)
    return folder


def write_reports(folder: Path, **macro_f1: float) -> None:
    """Writes what the stages make, as far as it is published or summed up."""
    scores = {**MACRO_F1, **macro_f1}
    write(folder / "reports/index.html", f"<p>{scores}</p><a href='#top'>up</a>")
    write(folder / "reports/data_quality/index.html", "<a href='../validate/summary.json'>rows</a>")
    write(folder / "reports/validate/great_expectations.json", "{}")
    checks = [
        {"name": "duplicates", "meaning": "No face stands twice", "severity": "warning",
         "success": False, "unexpected": 3, "paths": []},
        {"name": "known_classes", "meaning": "Every class is known", "severity": "error",
         "success": True, "unexpected": 0, "paths": []},
    ]  # fmt: skip
    summary = {"success": True, "faces": 3000, "baseline": None, "expectations": checks}
    write(folder / "reports/validate/summary.json", json.dumps(summary))
    hashes = [letter * 64 for letter in "ab"]
    write(
        folder / "data/review_queue/suspects.csv",
        "pixel_hash,issue_type\n{},wrong\n{},ambiguous\n".format(*hashes),
    )
    write(folder / "data/relabels.csv", ",".join(DECISION_COLUMNS) + "\n")
    write(folder / "reports/metrics.json", json.dumps({model: {} for model in scores}))
    for model, score in scores.items():
        write(folder / f"reports/evaluate/{model}/metrics.json", json.dumps(evaluation(score)))
        write(folder / f"reports/evaluate/{model}/model_card.md", f"# Model card: {model}")
        predictions(score + 0.01).to_parquet(
            folder / f"reports/evaluate/{model}/predictions.parquet"
        )


def evaluation(macro_f1: float) -> dict[str, Any]:
    """What `evaluate` writes of a model, as far as it is compared; accuracy is a little higher."""
    split = {"accuracy": metric(macro_f1 + 0.01), "macro_f1": metric(macro_f1)}
    return {"validation": split, "test": split}


def predictions(accuracy: float) -> pd.DataFrame:
    """What is said of 1,000 validation faces; those that are hard for one model are hard for all."""
    numbers = range(1000)
    return pd.DataFrame(
        {
            "path": [f"Training/{number}.png" for number in numbers],
            "split": "validation",
            "label": "happy",
            "prediction": ["happy" if number < 1000 * accuracy else "sad" for number in numbers],
        }
    )


def metric(value: float) -> dict[str, float]:
    """A metric whose interval reaches 0.05 to both sides."""
    return {"value": value, "low": value - 0.05, "high": value + 0.05}


def settings(destination: str | None, *, webhook: str | None = None) -> PublishSettings:
    """The section `publish`."""
    return PublishSettings(destination=destination, webhook=webhook)


def write(file: Path, text: str) -> None:
    """Writes a file and the folders above it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
