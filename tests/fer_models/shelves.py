"""A small workspace of trained and measured models, for the tests of who uses them."""

import json
import shutil
from pathlib import Path
from typing import Any

import yaml

from fer_data.schema import TEST, VALIDATION
from fer_models.zoo import ZOO
from tests.fer_models.members import write_members
from tests.fer_models.tiny import EXPRESSIONS

ROOT = Path(__file__).parents[2]
MEASURED = (*ZOO, "ensemble")
"""The models that the project's graph measures."""
TEMPERATURE, THRESHOLD, COVERAGE = 2.0, 0.3, 0.9


def make_models(folder: Path, *names: str) -> Path:
    """Writes a workspace whose graph is the project's, with tiny models of those names alone."""
    folder.mkdir(exist_ok=True)
    shutil.copyfile(ROOT / "dvc.yaml", folder / "dvc.yaml")
    params = {"data": {"expressions": list(EXPRESSIONS)}}
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    write_members(folder / "models", *names)
    for name in names:
        _write(folder / "reports/evaluate" / name / "metrics.json", metrics())
        card = folder / "reports/evaluate" / name / "model_card.md"
        card.write_text(f"# Model card: Tiny {name}\n")
        _write(folder / "reports/train" / name / "summary.json", summary(name))
    return folder


def summary(name: str) -> dict[str, Any]:
    """How a model was trained, as far as it is shown."""
    return {
        "title": f"Tiny {name}",
        "parameters": 1234,
        "train_faces": 180,
        "validation_faces": 30,
        "epochs": 5,
        "seed": 0,
    }


def metrics() -> dict[str, Any]:
    """What was measured of a model, as far as it is shown."""
    value = {"value": 0.75, "low": 0.7, "high": 0.8}
    names = ("accuracy", "macro_f1", "calibration_error")
    one = {"faces": 10, "precision": 0.5, "recall": 0.6, "f1": None}
    role = {
        "faces": 30,
        **dict.fromkeys(names, value),
        "per_class": dict.fromkeys(EXPRESSIONS, one),
    }
    return {
        **dict.fromkeys((VALIDATION, TEST), role),
        "calibration": {"temperature": TEMPERATURE},
        "conformal": {"threshold": THRESHOLD, "promised": COVERAGE},
    }


def _write(file: Path, content: dict[str, Any]) -> None:
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(content))
