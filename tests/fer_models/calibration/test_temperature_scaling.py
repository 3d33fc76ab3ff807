import subprocess
import sys

import numpy as np
import pytest

from fer_models.calibration.temperature_scaling import fit_temperature, softmax


@pytest.mark.parametrize("true_temperature", [0.5, 1.0, 3.0])
def test_the_temperature_of_overconfident_logits_is_found(true_temperature: float) -> None:
    generator = np.random.default_rng(0)
    logits = generator.normal(0, 2, (20_000, 4))
    labels = np.array([generator.choice(4, p=row) for row in softmax(logits)])
    assert fit_temperature(logits * true_temperature, labels) == pytest.approx(
        true_temperature, rel=0.05
    )


def test_calibrating_needs_no_tensorflow() -> None:
    code = (
        "import sys, fer_models.calibration.temperature_scaling; print('tensorflow' in sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "False"
