import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from fer_models.evaluation import all_metrics
from fer_models.metrics.prediction_table import Predictions

EXPRESSIONS = ("angry", "happy", "sad")
SETTINGS = all_metrics.MetricSettings(
    bootstrap_resamples=100, calibration_bins=15, coverage=0.9, seed=0
)


def test_metrics_use_the_settings():
    generator = np.random.default_rng(0)
    labels, probabilities = generator.integers(3, size=50), generator.dirichlet(np.ones(3), size=50)

    def metrics(**changes: int) -> dict[str, Any]:
        settings = SETTINGS.model_copy(update=changes)
        return all_metrics.split_metrics(
            labels, probabilities, expressions=EXPRESSIONS, settings=settings
        )

    assert metrics() == metrics()
    assert metrics(seed=1)["accuracy"] != metrics()["accuracy"]
    assert metrics(bootstrap_resamples=300)["loss"] != metrics()["loss"]
    one_bin = metrics(calibration_bins=1)["calibration_error"]["value"]
    correct = probabilities.argmax(axis=1) == labels
    gap = abs(probabilities.max(axis=1).mean() - correct.mean())
    assert one_bin == pytest.approx(gap, rel=1e-12)


@pytest.mark.parametrize("number", [2, 7, 8])
def test_any_number_of_classes_is_measured(number: int) -> None:
    generator = np.random.default_rng(0)
    expressions = tuple(f"class_{chr(97 + place)}" for place in range(number))
    predictions = {
        split: Predictions(
            np.arange(80) % number, generator.dirichlet(np.ones(number), size=80).astype(np.float32)
        )
        for split in ("validation", "test")
    }
    metrics = all_metrics.model_metrics(
        predictions,
        {"contrast": generator.random(80)},
        generator.random(80) < 0.5,
        expressions=expressions,
        settings=SETTINGS,
    )
    assert tuple(metrics["test"]["per_class"]) == expressions
    assert 0 <= metrics["test"]["macro_auroc"]["value"] <= 1


def test_measuring_needs_no_tensorflow():
    modules = "fer_models.evaluation.all_metrics"
    code = f"import sys, {modules}; print('tensorflow' in sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "False"
