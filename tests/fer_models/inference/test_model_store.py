import shutil
import threading
from pathlib import Path

import numpy as np
import pytest

from fer_data.core.errors import UserError
from fer_models.calibration.temperature_scaling import softmax
from fer_models.inference import model_store
from fer_models.inference.calibrated_model import CalibratedModel, Trust
from fer_models.inference.model_store import open_model_store
from tests.support.models.ensemble_members import tiny_member
from tests.support.models.tiny_dataset import EXPRESSIONS, banded_faces
from tests.support.models.trained_workspace import MEASURED, TEMPERATURE, THRESHOLD, make_models

FACES, LABELS = banded_faces(200, seed=1)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_models(tmp_path_factory.mktemp("store") / "workspace", "scratch", "mobilenetv2")


def test_a_workspace_s_models_predict_calibrated(workspace: Path) -> None:
    opened = open_model_store(workspace=workspace)
    assert opened.names == MEASURED
    assert opened.expressions == EXPRESSIONS
    assert opened.title("scratch") == "Tiny scratch"
    predictions = opened.load("scratch").predict(FACES)
    raw = opened.load("scratch").model.predict(FACES[..., np.newaxis], verbose=0)
    assert (raw.argmax(axis=1) == LABELS).mean() > 0.6
    np.testing.assert_allclose(
        predictions.probabilities, softmax(np.log(raw) / TEMPERATURE), atol=1e-3
    )
    assert predictions.sets is not None
    # The threshold is one of probabilities as they come, before the temperature.
    np.testing.assert_array_equal(predictions.sets, raw >= THRESHOLD)
    assert 1 < predictions.sets.sum(axis=1).mean() < 2


def test_no_face_gives_no_rows(workspace: Path) -> None:
    predictions = open_model_store(workspace=workspace).load("scratch").predict(FACES[:0])
    assert predictions.probabilities.shape == (0, 3)


def test_an_unsure_face_s_set_holds_the_most_probable_expression() -> None:
    predictions = CalibratedModel(
        tiny_member(0), EXPRESSIONS, Trust(threshold=0.9999), called="it"
    ).predict(FACES)
    assert predictions.sets is not None
    np.testing.assert_array_equal(
        predictions.sets.argmax(axis=1), predictions.probabilities.argmax(axis=1)
    )
    assert set(predictions.sets.sum(axis=1)) == {1}


def test_a_model_is_loaded_once_whoever_asks_at_the_same_time(workspace: Path, monkeypatch) -> None:
    loads: list[Path] = []

    def load_model(file: Path, *, called: str):
        assert called == str(file)
        loads.append(file)
        return tiny_member(0)

    monkeypatch.setattr(model_store, "load_model", load_model)
    opened = open_model_store(workspace=workspace)
    assert loads == []
    found: list[CalibratedModel] = []
    threads = [
        threading.Thread(target=lambda: found.append(opened.load("scratch"))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(loads) == 1
    assert len(found) == 8
    assert len(set(map(id, found))) == 1


def test_a_missing_model_names_the_three_ways_to_get_it(workspace: Path) -> None:
    opened = open_model_store(workspace=workspace)
    message = (
        r"models/resnet50/model\.keras is missing: `dvc pull` fetches it, a bundle brings it along "
        r"\(`--bundle FILE`\), `dvc repro evaluate@resnet50` trains and measures it"
    )
    with pytest.raises(UserError, match=message):
        opened.load("resnet50")
    assert opened.title("resnet50") == "resnet50"
    assert opened.error("scratch") is None


def test_a_model_that_nobody_measured_is_missing_too(workspace: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(workspace, tmp_path / "copy")
    (copy / "reports/evaluate/scratch/metrics.json").unlink()
    with pytest.raises(UserError, match=r"evaluate/scratch/metrics\.json is missing: `dvc pull`"):
        open_model_store(workspace=copy).load("scratch")


def test_an_unknown_model_names_those_that_there_are(workspace: Path) -> None:
    with pytest.raises(UserError, match="no model 'vgg': expected one of scratch, resnet50, mob"):
        open_model_store(workspace=workspace).load("vgg")


def test_a_path_is_a_model_of_which_nothing_was_measured(workspace: Path) -> None:
    opened = open_model_store(workspace=workspace)
    predictions = opened.load(str(workspace / "models/scratch/model.keras")).predict(FACES)
    assert predictions.sets is None
    named = opened.load("scratch").model.predict(FACES[..., np.newaxis], verbose=0)
    np.testing.assert_allclose(predictions.probabilities, named, atol=1e-5)
    with pytest.raises(UserError, match=r"absent\.keras is missing"):
        opened.load("absent.keras")


def test_a_model_of_other_classes_is_refused() -> None:
    message = r"^it\.onnx tells 4 expressions apart, expected 3: happy, neutral"
    with pytest.raises(UserError, match=message):
        CalibratedModel(tiny_member(0, num_classes=4), EXPRESSIONS, Trust(), called="it.onnx")


def test_outside_of_a_workspace_one_line_says_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no dvc\.yaml in"):
        open_model_store(workspace=tmp_path)


class Broken:
    """A model that gives the same row for every face."""

    output_shape = (None, 3)

    def __init__(self, row: list[float]) -> None:
        self.row = row

    def predict_on_batch(self, faces: np.ndarray) -> np.ndarray:
        return np.array([self.row] * len(faces), np.float32)


@pytest.mark.parametrize("row", [[np.nan, 0.5, 0.5], [-1, 1, 1], [3, 5, 4], [0, 0, 0]])
def test_what_is_no_probability_is_refused(row: list[float]) -> None:
    message = r"^it\.onnx gives what is no probability for 200 of 200 faces .* export it again$"
    with pytest.raises(UserError, match=message):
        CalibratedModel(Broken(row), EXPRESSIONS, Trust(), called="it.onnx").predict(FACES)
