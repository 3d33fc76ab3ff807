import os
import subprocess
import sys
from pathlib import Path

import pytest

from fer_data.tensorflow_start import lacks_avx

LEVEL = "TF_CPP_MIN_LOG_LEVEL"
SAYING = """
import os
from fer_data.tensorflow_start import without_greetings
with without_greetings():
    os.write(2, b"I0000 port.cc:153] oneDNN custom operations are on. You may see\\n")
    os.write(2, b"The library of a GPU is missing\\n")
"""
"""Says a greeting and something else."""


def run(program: str, *, level: str | None = None) -> subprocess.CompletedProcess[str]:
    """Runs Python in a process of its own, whatever its exit code."""
    environment = {name: value for name, value in os.environ.items() if name != LEVEL}
    if level is not None:
        environment[LEVEL] = level
    return subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("package", ["fer_data", "fer_models"])
def test_keras_starts_quietly_without_what_nobody_uses_which_can_be_imported_after_it(
    package: str,
) -> None:
    program = f"""
import sys, {package}, keras
print([name in sys.modules for name in ("tensorflow", "sklearn", "matplotlib")])
import sklearn.metrics, matplotlib.figure
print(sklearn.metrics.accuracy_score([1], [1]))
print("said afterwards", file=sys.stderr)
"""
    finished = run(program)
    assert finished.stdout.splitlines() == ["[True, False, False]", "1.0"]
    assert finished.stderr == "said afterwards\n"


def test_what_is_imported_already_stays() -> None:
    program = """
import sklearn, fer_models, keras
from keras.wrappers import SKLearnClassifier
print(issubclass(SKLearnClassifier, sklearn.base.BaseEstimator))
"""
    assert run(program).stdout.splitlines() == ["True"]


@pytest.mark.parametrize(("level", "lines"), [(None, 1), ("3", 1), ("0", 2)])
def test_only_greetings_are_left_out_unless_all_is_asked_for(level: str | None, lines: int) -> None:
    finished = run(SAYING, level=level)
    assert finished.returncode == 0
    said = finished.stderr.splitlines()
    assert len(said) == lines
    assert said[-1] == "The library of a GPU is missing"


def test_a_standard_error_that_is_closed_does_no_harm() -> None:
    program = """
import os
from fer_data.tensorflow_start import without_greetings
os.close(2)
with without_greetings():
    print("started")
"""
    finished = run(program)
    assert (finished.returncode, finished.stdout) == (0, "started\n")


@pytest.mark.parametrize(
    ("listed", "lacks"),
    [
        ("flags\t\t: fpu sse4_2 avx avx2", False),
        ("flags\t\t: fpu sse4_2", True),
        ("Features: fp", False),
    ],
)
def test_a_processor_without_avx_is_known_by_its_flags(
    tmp_path: Path, listed: str, lacks: bool
) -> None:
    file = tmp_path / "cpuinfo"
    assert not lacks_avx(file)
    file.write_text(f"processor\t: 0\n{listed}\n")
    assert lacks_avx(file) == lacks
