from pathlib import Path

import pytest

from tests.support.models.pretrained import stand_in


@pytest.fixture(autouse=True)
def _without_a_pretrained_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test depends on the package's bundle, save where it names it."""
    stand_in(tmp_path / "no bundle.zip", monkeypatch)
