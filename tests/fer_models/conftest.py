from pathlib import Path

import pytest

from fer_models.inference.pretrained import pretrained_model


@pytest.fixture(autouse=True)
def _without_a_pretrained_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test depends on the package's bundle, save where it names it."""
    monkeypatch.setattr(pretrained_model, "FILE", tmp_path / "no bundle.zip")
