"""Trainings of benchmarks: each once, and its metrics read again afterwards."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from benchmarks.compact import together
from benchmarks.trainings import Faces, mean_of, once
from fer_models.training.samples import Samples

LABELS = np.array([0, 1, 2, 1])
PREDICTED = np.array([[0.8, 0.1, 0.1], [0.2, 0.5, 0.3], [0.6, 0.3, 0.1], [0.2, 0.7, 0.1]])
SAMPLES = Samples(np.zeros((4, 48, 48, 1), np.uint8), LABELS, np.ones(4, np.float32))
FACES = Faces(SAMPLES, SAMPLES, 3, ("digest",))
MODEL: Any = SimpleNamespace(predict=lambda *_, **__: PREDICTED)


def never() -> Any:
    pytest.fail("trained once more")


def test_a_finished_training_is_not_repeated(tmp_path: Path) -> None:
    settings = ["recipe"]
    first = once(tmp_path, lambda: MODEL, FACES, settings=settings, test=SAMPLES, arm="recipe")
    assert once(tmp_path, never, FACES, settings=settings, test=SAMPLES) == first
    once(tmp_path, lambda: MODEL, FACES, settings=["another"], arm="another")
    assert len(list(tmp_path.iterdir())) == 2
    found = mean_of([first, {**first, "loss": first["loss"] + 2, "seconds": 120.0}])
    np.testing.assert_array_equal(found.right, [[True, True, False, True]] * 2)
    np.testing.assert_array_equal(found.right_on_test, found.right)
    assert found.loss == pytest.approx(1 - np.log([0.8, 0.5, 0.1, 0.7]).mean())
    assert found.minutes == pytest.approx(1, abs=0.1)


def test_a_training_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def killed() -> Any:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        once(tmp_path, killed, FACES, settings=[], arm="recipe")
    assert not list(tmp_path.iterdir())


def test_the_mean_of_several_trainings_is_compared_with_the_best_on_validation() -> None:
    labels = np.array([0, 1])
    rows = [
        {"seed": 0, "accuracy": 0.7, "right_on_test": [1, 0]},
        {"seed": 1, "accuracy": 0.6, "right_on_test": [0, 1]},
    ]
    rows[0]["probabilities_on_test"] = [[0.9, 0.1], [0.6, 0.4]]
    rows[1]["probabilities_on_test"] = [[0.4, 0.6], [0.1, 0.9]]
    words = together(rows, labels)
    assert "probabilities: 1.0000 " in words
    assert "over seed 0, the best on `validation`, +50.00 points" in words
