import hashlib
import io
import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fer_data.core.errors import UserError
from fer_models.app.api import Service
from fer_models.detection.face_detector import FaceFinder
from fer_models.inference.bundle import pack
from fer_models.inference.model_store import open_model, open_model_store
from fer_models.inference.sources import Workspace
from tests.support.models.tiny_dataset import EXPRESSIONS, banded_faces
from tests.support.models.trained_workspace import make_models, metrics

NAMES = ("scratch", "mobilenetv2")


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_models(tmp_path_factory.mktemp("bundles") / "workspace", *NAMES)


@pytest.fixture(scope="module")
def bundle(workspace: Path) -> Path:
    file = workspace.parent / "bundle.zip"
    pack(Workspace(workspace), NAMES, file, revision="0123abc")
    return file


def rewritten(bundle: Path, target: Path, path: str, content: bytes) -> Path:
    """A copy of a bundle in which one file is another."""
    with zipfile.ZipFile(bundle) as source, zipfile.ZipFile(target, "w") as copy:
        for name in source.namelist():
            copy.writestr(name, content if name == path else source.read(name))
    return target


def test_a_bundle_predicts_as_its_workspace_does(workspace: Path, bundle: Path) -> None:
    store = open_model_store(bundle=bundle)
    assert store.names == NAMES
    assert store.expressions == EXPRESSIONS
    assert store.title("mobilenetv2") == "Tiny mobilenetv2"
    faces, _ = banded_faces(20)
    for name in NAMES:
        packed = store.load(name)
        direct = open_model_store(workspace=workspace).load(name)
        assert packed.trust == direct.trust
        np.testing.assert_array_equal(
            packed.predict(faces).probabilities, direct.predict(faces).probabilities
        )


def test_a_bundle_holds_cards_checksums_and_the_revision(workspace: Path, bundle: Path) -> None:
    with zipfile.ZipFile(bundle) as archive:
        contents = json.loads(archive.read("bundle.json"))
        card = archive.read("models/scratch/model_card.md")
        assert set(archive.namelist()) == {"bundle.json", *contents["sha256"]}
    assert contents["version"] == 1
    assert contents["revision"] == "0123abc"
    assert len(contents["sha256"]) == 8
    assert card == (workspace / "reports/evaluate/scratch/model_card.md").read_bytes()


def test_equal_models_make_equal_bundles(workspace: Path, bundle: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.zip"
    pack(Workspace(workspace), NAMES, again, revision="0123abc")
    assert again.read_bytes() == bundle.read_bytes()


def test_a_model_that_learned_validation_too_comes_after_those_that_did_not(
    bundle: Path, tmp_path: Path
) -> None:
    with zipfile.ZipFile(bundle) as archive:
        contents = json.loads(archive.read("bundle.json"))
    without = json.dumps({name: one for name, one in metrics().items() if name != "validation"})
    path = "models/scratch/metrics.json"
    contents["sha256"][path] = hashlib.sha256(without.encode()).hexdigest()
    changed = rewritten(bundle, tmp_path / "metrics.zip", path, without.encode())
    listed = json.dumps(contents).encode()
    store = open_model_store(bundle=rewritten(changed, tmp_path / "b.zip", "bundle.json", listed))
    assert store.error("scratch") is None
    assert store.best() == "mobilenetv2"


@pytest.mark.parametrize("part", ["model.keras", "metrics.json"])
def test_a_damaged_file_is_found_when_it_is_used(bundle: Path, tmp_path: Path, part: str) -> None:
    path = f"models/scratch/{part}"
    with zipfile.ZipFile(bundle) as archive:
        content = archive.read(path)
    other = rewritten(bundle, tmp_path / "other.zip", path, content[:-1] + b"!")
    store = open_model_store(bundle=other)
    with pytest.raises(UserError, match=rf"other\.zip is damaged: models/scratch/{part} in it"):
        store.load("scratch")
    store.load("mobilenetv2")


def test_a_bundle_that_was_cut_off_is_none(bundle: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.zip"
    cut.write_bytes(bundle.read_bytes()[:-100])
    with pytest.raises(UserError, match=r"cut\.zip is no bundle: expected what `ferflow bundle`"):
        open_model_store(bundle=cut)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 2}, r"cannot read \(version: .*\): make it again .* or update ferflow"),
        ({"color": "red"}, r"cannot read \(color: Extra inputs"),
    ],
)
def test_a_bundle_of_another_format_is_refused(
    bundle: Path, tmp_path: Path, change: dict, message: str
) -> None:
    with zipfile.ZipFile(bundle) as archive:
        contents = {**json.loads(archive.read("bundle.json")), **change}
    content = json.dumps(contents).encode()
    other = rewritten(bundle, tmp_path / "new.zip", "bundle.json", content)
    with pytest.raises(UserError, match=message):
        open_model_store(bundle=other)


@pytest.mark.parametrize(
    ("key", "value", "place"),
    [
        ("models", [], "models"),
        ("models", ["scratch", "scratch"], "models"),
        ("models", ["\x1b[2Jscratch"], "models.0"),
        ("expressions", [], "expressions"),
        ("expressions", ["sad"] * len(EXPRESSIONS), "expressions"),
        ("expressions", ["\x1b[2J", "sad"], "expressions.0"),
    ],
)
def test_a_bundle_of_no_or_strange_names_is_refused(
    bundle: Path, tmp_path: Path, key: str, value: list[str], place: str
) -> None:
    with zipfile.ZipFile(bundle) as archive:
        contents = json.loads(archive.read("bundle.json"))
    text = json.dumps({**contents, key: value}).encode()
    other = rewritten(bundle, tmp_path / "other.zip", "bundle.json", text)
    with pytest.raises(UserError, match=rf"this version cannot read \({place}: "):
        open_model_store(bundle=other)


def test_what_is_no_bundle_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no bundle at .*absent\.zip: `ferflow bundle` makes one"):
        open_model_store(bundle=tmp_path / "absent.zip")
    (tmp_path / "text.zip").write_text("not a zip archive")
    with pytest.raises(UserError, match=r"text\.zip is no bundle"):
        open_model_store(bundle=tmp_path / "text.zip")
    with pytest.raises(UserError, match="is no bundle"):
        open_model_store(bundle=tmp_path)


def test_a_missing_model_is_packed_by_nobody(workspace: Path, tmp_path: Path) -> None:
    target = tmp_path / "bundle.zip"
    with pytest.raises(UserError, match=r"models/resnet50/model\.keras is missing: `dvc pull`"):
        pack(Workspace(workspace), ["scratch", "resnet50"], target, revision=None)
    assert list(tmp_path.iterdir()) == []


def test_a_bundle_needs_no_workspace(bundle: Path, tmp_path: Path, monkeypatch) -> None:
    copy = shutil.copyfile(bundle, tmp_path / "copy.zip")
    monkeypatch.chdir(tmp_path)
    assert open_model_store(bundle=Path(copy.name)).load("scratch").expressions == EXPRESSIONS


def with_part(bundle: Path, target: Path, part: str, content: bytes) -> Path:
    """A copy of a bundle in which a file of `scratch` is another, as if it had been packed."""
    path = f"models/scratch/{part}"
    with zipfile.ZipFile(bundle) as archive:
        contents = json.loads(archive.read("bundle.json"))
    contents["sha256"][path] = hashlib.sha256(content).hexdigest()
    between = rewritten(bundle, target.with_suffix(".between"), path, content)
    return rewritten(between, target, "bundle.json", json.dumps(contents).encode())


def configured(bundle: Path, config: bytes) -> bytes:
    """The network of `scratch` with another configuration."""
    changed = io.BytesIO()
    with zipfile.ZipFile(bundle) as outer:
        network = io.BytesIO(outer.read("models/scratch/model.keras"))
    with zipfile.ZipFile(network) as source, zipfile.ZipFile(changed, "w") as copy:
        for name in source.namelist():
            copy.writestr(name, config if name == "config.json" else source.read(name))
    return changed.getvalue()


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (None, "is not a Keras model: expected a `.keras` file"),
        (b"{", "is a damaged Keras model: "),
        (b"{}", "is no model that Keras "),
        (b'{"class_name": "Lambda"}', "holds keras.Lambda, which can run code"),
    ],
)
def test_a_broken_network_is_told_by_the_bundle_s_name(
    bundle: Path, tmp_path: Path, config: bytes | None, message: str
) -> None:
    content = b"no zip" if config is None else configured(bundle, config)
    other = with_part(bundle, tmp_path / "odd.zip", "model.keras", content)
    with pytest.raises(UserError) as error:
        open_model("scratch", bundle=other)
    assert str(error.value).startswith(f"{other}: the model 'scratch' {message}")
    assert "\n" not in str(error.value)
    assert str(error.value).count("/") == str(other).count("/")


def odd(*keys: str, value: Any) -> bytes:
    content: Any = metrics()
    place = content
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    return json.dumps(content).encode()


@pytest.mark.parametrize(
    ("content", "where"),
    [
        (b"[]", ""),
        (b"null", ""),
        (b"{", ""),
        (b"[" * 100_000, ""),
        (b"\xff", ""),
        (odd("calibration", value=None), "calibration"),
        (odd("calibration", "temperature", value=float("nan")), "calibration.temperature"),
        (odd("calibration", "temperature", value=0), "calibration.temperature"),
        (odd("calibration", "temperature", value=1e-320), "calibration.temperature"),
        (odd("calibration", "temperature", value=1e300), "calibration.temperature"),
        (odd("calibration", "temperature", value="1"), "calibration.temperature"),
        (odd("conformal", "threshold", value=float("inf")), "conformal.threshold"),
        (odd("validation", "accuracy", "value", value=[]), "validation.accuracy.value"),
    ],
)
def test_odd_metrics_are_one_line_and_stop_no_other_model(
    bundle: Path, tmp_path: Path, content: bytes, where: str
) -> None:
    other = with_part(bundle, tmp_path / "odd.zip", "metrics.json", content)
    message = rf"metrics\.json of the model 'scratch' is not what its stage wrote \({where}"
    for name in ("scratch", None):
        with pytest.raises(UserError, match=message) as error:
            open_model(name, bundle=other)
        assert "\n" not in str(error.value)
    store = open_model_store(bundle=other)
    service = Service(store, FaceFinder())
    assert [model["error"] is None for model in service.models()] == [False, True]
    assert service.first() == "mobilenetv2"
    assert store.load("mobilenetv2").expressions == EXPRESSIONS


def test_a_summary_without_a_title_is_one_line(bundle: Path, tmp_path: Path) -> None:
    other = with_part(bundle, tmp_path / "odd.zip", "summary.json", b'{"title": 5}')
    store = open_model_store(bundle=other)
    assert "summary.json of the model 'scratch'" in str(store.error("scratch"))
    assert store.title("scratch") == "scratch"
