"""Settings that are reordered after a training never rename what a model says."""

import json
import logging
import shutil
import zipfile
from pathlib import Path

import keras
import pytest
import yaml

from fer_data.core.errors import UserError
from fer_models.core.class_names import check_expressions, expressions_in
from fer_models.core.serialization import save_model
from fer_models.inference.bundle import pack
from fer_models.inference.model_store import open_model_store
from fer_models.inference.sources import Workspace
from flows.commands.export_stored import export_stored
from tests.fer_models.inference.test_bundle import rewritten
from tests.fer_models.inference.test_earlier_bundles import BUNDLE
from tests.support.models.ensemble_members import tiny_member
from tests.support.models.tiny_dataset import EXPRESSIONS
from tests.support.models.trained_workspace import make_models

REORDERED = ("sad", "happy", "neutral")
REFUSED = "tells happy, neutral, sad apart, in this order; expected sad, happy, neutral: put `data"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_models(tmp_path_factory.mktemp("names") / "workspace", "scratch")


@pytest.fixture
def reordered(trained: Path, tmp_path: Path) -> Path:
    """The workspace, in whose settings the same expressions stand in another order."""
    copy = shutil.copytree(trained, tmp_path / "workspace")
    params = yaml.safe_load((copy / "params.yaml").read_text())
    params["data"]["expressions"] = list(REORDERED)
    (copy / "params.yaml").write_text(yaml.safe_dump(params))
    return copy


def model_of(workspace: Path) -> Path:
    return workspace / "models/scratch/model.keras"


def forget_names(file: Path) -> None:
    """Saves the model as earlier versions did: without names."""
    whole = file.with_suffix(".whole")
    file.rename(whole)
    with zipfile.ZipFile(whole) as archive:
        metadata = json.loads(archive.read("metadata.json"))
    assert metadata.pop("expressions")
    rewritten(whole, file, "metadata.json", json.dumps(metadata).encode())
    whole.unlink()
    assert expressions_in(file) is None


def measure(workspace: Path, *expressions: str) -> None:
    """Writes what `evaluate` says of each class, as far as its order goes."""
    file = workspace / "reports/evaluate/scratch/metrics.json"
    metrics = json.loads(file.read_text())
    file.write_text(json.dumps(metrics | {"test": {"per_class": {one: {} for one in expressions}}}))


def test_the_names_are_in_the_file_which_keras_alone_loads(tmp_path: Path) -> None:
    model = tiny_member(0)
    for name, names in (("one", EXPRESSIONS), ("again", EXPRESSIONS), ("other", REORDERED)):
        save_model(model, tmp_path / f"{name}.keras", expressions=names)
    one, again, other = (tmp_path / f"{name}.keras" for name in ("one", "again", "other"))
    assert expressions_in(one) == EXPRESSIONS
    assert one.read_bytes() == again.read_bytes()
    assert one.read_bytes() != other.read_bytes()
    assert keras.saving.load_model(one).output_shape == (None, 3)
    with pytest.raises(ValueError, match="got 2 names for outputs of"):
        save_model(model, tmp_path / "two.keras", expressions=("happy", "sad"))


def test_a_workspace_of_another_order_refuses_its_models(reordered: Path) -> None:
    store = open_model_store(workspace=reordered)
    for name in ("scratch", str(model_of(reordered))):
        with pytest.raises(UserError, match=REFUSED) as error:
            store.load(name)
        assert "\n" not in str(error.value)


def test_what_would_rename_the_classes_is_neither_packed_nor_exported(
    reordered: Path, tmp_path: Path
) -> None:
    target = tmp_path / "bundle.zip"
    with pytest.raises(UserError, match=REFUSED):
        pack(Workspace(reordered), ["scratch"], target, revision=None)
    with pytest.raises(UserError, match=REFUSED):
        export_stored("scratch", form="onnx", target=tmp_path / "model.onnx", workspace=reordered)
    assert [path.name for path in tmp_path.iterdir()] == ["workspace"]


def test_a_bundle_that_names_another_order_than_its_model_is_refused(
    trained: Path, tmp_path: Path
) -> None:
    bundle = tmp_path / "bundle.zip"
    pack(Workspace(trained), ["scratch"], bundle, revision=None)
    with zipfile.ZipFile(bundle) as archive:
        contents = json.loads(archive.read("bundle.json"))
    text = json.dumps({**contents, "expressions": list(REORDERED)}).encode()
    other = rewritten(bundle, tmp_path / "other.zip", "bundle.json", text)
    with pytest.raises(UserError, match=REFUSED):
        open_model_store(bundle=other).load("scratch")


def test_a_model_without_names_is_taken_at_what_it_was_measured_by(
    trained: Path, reordered: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    forget_names(model_of(reordered))
    measure(reordered, *EXPRESSIONS)
    with pytest.raises(UserError, match=REFUSED):
        open_model_store(workspace=reordered).load("scratch")
    with pytest.raises(UserError, match=REFUSED):
        pack(Workspace(reordered), ["scratch"], tmp_path / "bundle.zip", revision=None)
    (reordered / "params.yaml").write_bytes((trained / "params.yaml").read_bytes())
    assert open_model_store(workspace=reordered).load("scratch").expressions == EXPRESSIONS
    assert caplog.records == []


@pytest.mark.parametrize("of_path", [True, False])
def test_a_model_of_which_no_names_are_known_is_taken_with_a_line_that_says_so(
    reordered: Path, caplog: pytest.LogCaptureFixture, of_path: bool
) -> None:
    forget_names(model_of(reordered))
    name = str(model_of(reordered)) if of_path else "scratch"
    with caplog.at_level(logging.WARNING):
        open_model_store(workspace=reordered).load(name)
    file = model_of(reordered)
    message = (
        "does not name the expressions that it tells apart: taken for sad, happy, neutral, in this"
    )
    assert f"{file} {message} order" in caplog.text


def test_a_bundle_of_an_earlier_version_is_taken_at_its_own_names_with_a_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        assert open_model_store(bundle=BUNDLE).load("scratch").expressions == EXPRESSIONS
    assert "bundle.zip: the model 'scratch' does not name the expressions" in caplog.text


def test_a_stage_refuses_a_model_without_names(trained: Path, tmp_path: Path) -> None:
    file = Path(shutil.copy(model_of(trained), tmp_path / "model.keras"))
    check_expressions(file, EXPRESSIONS)
    forget_names(file)
    with pytest.raises(
        UserError, match=r"does not name the expressions .* `dvc repro` retrains it"
    ):
        check_expressions(file, EXPRESSIONS)
