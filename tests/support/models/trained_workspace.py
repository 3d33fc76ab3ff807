"""A small workspace of trained and measured models, for the tests of who uses them."""

import json
import shutil
from pathlib import Path
from typing import Any

import yaml

from fer_data.core.schema import VALIDATION
from fer_models.networks.registry import ZOO
from tests.support.models.ensemble_members import write_members
from tests.support.models.tiny_dataset import EXPRESSIONS

ROOT = Path(__file__).parents[3]
MEASURED = (*ZOO, "ensemble")
"""The models that the project's graph measures."""
TEMPERATURE, THRESHOLD, COVERAGE = 2.0, 0.3, 0.9


def make_models(folder: Path, *names: str) -> Path:
    """Writes a workspace whose graph is the project's, with tiny models of those names alone."""
    folder.mkdir(exist_ok=True)
    shutil.copyfile(ROOT / "dvc.yaml", folder / "dvc.yaml")
    project = yaml.safe_load((ROOT / "params.yaml").read_text())
    listed = {name: project[name] for name in ("pipeline", "report")}
    params = {"data": {"expressions": list(EXPRESSIONS)}, **listed}
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    write_members(folder / "models", *names)
    for name in names:
        _write(folder / "reports/evaluate" / name / "metrics.json", metrics())
        card = folder / "reports/evaluate" / name / "model_card.md"
        card.write_text(f"# Model card: Tiny {name}\n")
        _write(folder / "reports/train" / name / "summary.json", {"title": f"Tiny {name}"})
    return folder


def metrics() -> dict[str, Any]:
    """What was measured of a model, as far as it is used."""
    return {
        VALIDATION: {"accuracy": {"value": 0.75, "low": 0.7, "high": 0.8}},
        "calibration": {"temperature": TEMPERATURE},
        "conformal": {"threshold": THRESHOLD, "promised": COVERAGE},
    }


def _write(file: Path, content: dict[str, Any]) -> None:
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(content))
