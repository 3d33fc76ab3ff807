"""What the tests of the stage `evaluate` share."""

from pathlib import Path

import pytest

from tests.support.models.evaluation_inputs import enter_evaluation


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return enter_evaluation(tmp_path, monkeypatch)
