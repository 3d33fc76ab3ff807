"""Stands a tiny bundle in for the pretrained model, or takes it away."""

from pathlib import Path

import pytest

from fer_models.inference.bundle import pack
from fer_models.inference.pretrained import pretrained_model
from fer_models.inference.sources import Workspace
from tests.support.models.trained_workspace import make_models

REAL = pretrained_model.FILE


def stand_in(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets a bundle, or a file that is not there, be the package's."""
    monkeypatch.setattr(pretrained_model, "FILE", bundle)


def make_bundle(folder: Path) -> Path:
    """Packs a tiny model in half precision, as the package's is packed."""
    bundle = folder / "bundle.zip"
    source = Workspace(make_models(folder / "maker", "compact"))
    pack(source, ["compact"], bundle, revision="0123abc", half=True)
    return bundle
