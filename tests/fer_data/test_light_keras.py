import subprocess
import sys

import pytest


def printed(program: str) -> str:
    """What a Python process of its own prints."""
    finished = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return finished.stdout


@pytest.mark.parametrize("package", ["fer_data", "fer_models"])
def test_keras_starts_without_what_nobody_uses_which_can_be_imported_after_it(package: str) -> None:
    program = f"""
import sys, {package}, keras
print([name in sys.modules for name in ("tensorflow", "sklearn", "matplotlib")])
import sklearn.metrics, matplotlib.figure
print(sklearn.metrics.accuracy_score([1], [1]))
"""
    assert printed(program).splitlines() == ["[True, False, False]", "1.0"]


def test_what_is_imported_already_stays() -> None:
    program = """
import sklearn, fer_models, keras
from keras.wrappers import SKLearnClassifier
print(issubclass(SKLearnClassifier, sklearn.base.BaseEstimator))
"""
    assert printed(program).splitlines() == ["True"]
