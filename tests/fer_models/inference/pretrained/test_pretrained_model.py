"""Which model answers where none is named, with a tiny model for the package's, and the real one."""

import shutil
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from fer_data.core.errors import UserError
from fer_data.core.schema import PATH
from fer_data.core.tables import write_table
from fer_data.stages.drawn_faces import ARCHIVE_COMMENT, manifest_metadata
from fer_models import Predictor
from fer_models.app.api import Service
from fer_models.detection.face_detector import FaceFinder
from fer_models.inference.model_store import open_model, open_model_store
from fer_models.inference.pretrained.pretrained_model import PRETRAINED
from tests.support.models.pretrained import REAL, make_bundle, stand_in
from tests.support.models.scenes import scene
from tests.support.models.tiny_dataset import EXPRESSIONS, banded_faces
from tests.support.models.trained_workspace import MEASURED, make_models

FACES = banded_faces(10, seed=4)[0]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("pretrained"))


@pytest.fixture
def bundle(made: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The package's bundle."""
    stand_in(made, monkeypatch)
    return made


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_models(tmp_path_factory.mktemp("trained") / "workspace", "scratch")


def with_manifest(workspace: Path, archive_comment: bytes) -> Path:
    file = workspace / "data/faces/manifest.parquet"
    file.parent.mkdir(parents=True)
    write_table(pd.DataFrame({PATH: ["a.jpg"]}), file, metadata=manifest_metadata(archive_comment))
    return workspace


@pytest.mark.usefixtures("bundle")
def test_outside_of_a_workspace_it_is_the_only_model(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = open_model_store()
    assert store.names == (PRETRAINED,)
    assert store.default() == PRETRAINED
    for name in (PRETRAINED, None):
        model = open_model(name)
        assert model.name == PRETRAINED
        np.testing.assert_allclose(model.predict(FACES).probabilities.sum(axis=1), 1, atol=1e-5)
    message = (
        r"^no model 'scratch': this folder is no workspace, so expected `pretrained` or a model's"
    )
    with pytest.raises(UserError, match=message):
        open_model("scratch")


@pytest.mark.usefixtures("bundle")
def test_a_folder_that_was_named_has_to_be_a_workspace(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no dvc\.yaml in"):
        open_model(None, workspace=tmp_path)


@pytest.mark.parametrize(
    ("comment", "name"), [(ARCHIVE_COMMENT, PRETRAINED), (b"", "scratch"), (None, "scratch")]
)
@pytest.mark.usefixtures("bundle")
def test_models_of_drawn_faces_answer_only_by_name(
    trained: Path, tmp_path: Path, comment: bytes | None, name: str
) -> None:
    workspace = shutil.copytree(trained, tmp_path / "copy")
    if comment is not None:
        with_manifest(workspace, comment)
    assert open_model_store(workspace=workspace).default() == name
    assert open_model(None, workspace=workspace).name == name
    assert open_model("scratch", workspace=workspace).name == "scratch"
    assert open_model(PRETRAINED, workspace=workspace).name == PRETRAINED


@pytest.mark.usefixtures("bundle")
def test_it_answers_where_nothing_was_trained_yet(tmp_path: Path) -> None:
    assert open_model(None, workspace=make_models(tmp_path / "workspace")).name == PRETRAINED


@pytest.mark.usefixtures("bundle")
def test_a_broken_model_of_the_workspace_is_not_passed_over(trained: Path, tmp_path: Path) -> None:
    workspace = shutil.copytree(trained, tmp_path / "copy")
    (workspace / "reports/evaluate/scratch/metrics.json").write_text("{")
    with pytest.raises(UserError, match=r"metrics\.json of the model 'scratch'"):
        open_model(None, workspace=workspace)


@pytest.mark.usefixtures("bundle")
def test_the_app_offers_it_beside_the_workspace_s_models(trained: Path) -> None:
    service = Service(open_model_store(workspace=trained), FaceFinder())
    shown = {model["name"]: model for model in service.models()}
    assert tuple(shown) == (*MEASURED, PRETRAINED)
    assert shown[PRETRAINED]["title"] == "Tiny compact, which came with Ferflow"
    assert service.first() == "scratch"


@pytest.mark.usefixtures("bundle")
def test_beside_models_of_other_classes_it_has_no_place(trained: Path, tmp_path: Path) -> None:
    workspace = shutil.copytree(trained, tmp_path / "copy")
    others = [*EXPRESSIONS[1:], EXPRESSIONS[0]]
    params = yaml.safe_load((workspace / "params.yaml").read_text())
    params["data"]["expressions"] = others
    (workspace / "params.yaml").write_text(yaml.safe_dump(params))
    assert PRETRAINED not in open_model_store(workspace=workspace).names
    assert open_model(PRETRAINED, workspace=workspace).expressions == EXPRESSIONS


def test_without_it_one_line_says_so(trained: Path, tmp_path: Path, monkeypatch) -> None:
    message = r"^this installation has no pretrained model \(.* is missing\): [^\n]*$"
    with pytest.raises(UserError, match=message):
        open_model(PRETRAINED)
    assert open_model_store(workspace=trained).names == MEASURED
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"no dvc\.yaml in"):
        open_model(None)


@pytest.mark.skipif(not REAL.exists(), reason="the package's bundle is not made yet")
class TestReal:
    """The package's own."""

    @pytest.fixture(autouse=True)
    def _real(self, monkeypatch: pytest.MonkeyPatch) -> None:
        stand_in(REAL, monkeypatch)

    def test_it_is_small_and_brings_its_card(self) -> None:
        assert REAL.stat().st_size <= 4 * 2**20
        with zipfile.ZipFile(REAL) as archive:
            (card,) = [name for name in archive.namelist() if name.endswith("model_card.md")]
            text = archive.read(card).decode()
        assert "--half` packed it at the commit `" in text
        for words in ("## Limits", "FER2013", "## Training data"):
            assert words in text

    def test_it_reads_two_drawn_faces(self, tmp_path: Path, monkeypatch) -> None:
        monkeypatch.chdir(tmp_path)
        faces = Predictor().predict(scene((30, 60, 100), (180, 20, 120)))
        assert len(faces) == 2
        for face in faces:
            assert face.model == PRETRAINED
            assert sum(face.probabilities.values()) == pytest.approx(1, abs=1e-5)
            assert face.expression in face.prediction_set
