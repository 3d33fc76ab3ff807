"""A bundle that is packed again while it is in use."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

from fer_data.core.errors import UserError
from fer_models.inference.bundle import pack
from fer_models.inference.model_store import open_model_store
from fer_models.inference.sources import METRICS, Workspace
from tests.support.models.tiny_dataset import EXPRESSIONS, banded_faces
from tests.support.models.trained_workspace import make_models, metrics

FACES, _ = banded_faces(20)
NAMES = ("scratch", "mobilenetv2")


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_models(tmp_path_factory.mktemp("bundles") / "workspace", *NAMES)


@pytest.fixture
def changed(workspace: Path, tmp_path: Path) -> Path:
    """A workspace of the same names, whose models are each other's and were measured again."""
    copy = shutil.copytree(workspace, tmp_path / "changed")
    for name, other in zip(NAMES, reversed(NAMES), strict=True):
        file = f"models/{name}/model.keras"
        shutil.copyfile(workspace / "models" / other / "model.keras", copy / file)
        text = (copy / "reports/evaluate" / name / METRICS).read_text()
        (copy / "reports/evaluate" / name / METRICS).write_text(text.replace("0.75", "0.76"))
    return copy


@pytest.fixture
def bundle(workspace: Path, tmp_path: Path) -> Path:
    file = tmp_path / "bundle.zip"
    pack(Workspace(workspace), NAMES, file, revision=None)
    return file


def test_a_bundle_that_was_packed_again_is_read_again(bundle: Path, changed: Path) -> None:
    store = open_model_store(bundle=bundle)
    pack(Workspace(changed), NAMES, bundle, revision="0123abc")
    expected = open_model_store(workspace=changed).load("scratch").predict(FACES)
    found = store.load("scratch").predict(FACES)
    np.testing.assert_array_equal(found.probabilities, expected.probabilities)
    assert store.error("mobilenetv2") is None


def test_a_model_that_is_gone_from_a_new_bundle_is_named(bundle: Path, changed: Path) -> None:
    store = open_model_store(bundle=bundle)
    pack(Workspace(changed), ["mobilenetv2"], bundle, revision=None)
    store.load("mobilenetv2")
    with pytest.raises(UserError, match=r"packed again without the model 'scratch': start again"):
        store.load("scratch")


def test_other_classes_need_a_new_start(bundle: Path, changed: Path, monkeypatch) -> None:
    store = open_model_store(bundle=bundle)
    params = yaml.safe_load((changed / "params.yaml").read_text())
    params["data"]["expressions"] = [*EXPRESSIONS[:2], "calm"]
    (changed / "params.yaml").write_text(yaml.safe_dump(params))
    monkeypatch.setattr(
        "fer_models.inference.bundle.check_expressions_in_use", lambda *_, **__: None
    )
    pack(Workspace(changed), NAMES, bundle, revision=None)
    with pytest.raises(UserError, match=r"packed again, with models of happy, neutral, calm; exp"):
        store.load("scratch")


def test_a_model_is_never_paired_with_another_one_s_calibration(
    workspace: Path, tmp_path: Path, monkeypatch
) -> None:
    copy = shutil.copytree(workspace, tmp_path / "copy")
    store = open_model_store(workspace=copy)
    load = store._named

    def slow(*arguments, **options):
        file = copy / "reports/evaluate/scratch" / METRICS
        file.write_text(file.read_text().replace("2.0", "3.0"))
        return load(*arguments, **options)

    monkeypatch.setattr(store, "_named", slow)
    assert metrics()["calibration"]["temperature"] == 2
    with pytest.raises(UserError, match=r"scratch/model\.keras was replaced while it was loaded"):
        store.load("scratch")
    monkeypatch.undo()
    assert store.load("scratch").trust.temperature == 3
