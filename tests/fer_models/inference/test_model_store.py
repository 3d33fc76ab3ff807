import shutil
import threading
from pathlib import Path

import numpy as np
import pytest

from fer_data.core.errors import UserError
from fer_models.calibration.temperature_scaling import softmax
from fer_models.inference import model_store
from fer_models.inference.model_store import open_model_store
from fer_models.inference.predictor import Predictor, Trust
from tests.support.models.ensemble_members import tiny_member
from tests.support.models.tiny_dataset import EXPRESSIONS, banded_faces
from tests.support.models.trained_workspace import MEASURED, TEMPERATURE, THRESHOLD, make_models

FACES, LABELS = banded_faces(200, seed=1)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_models(tmp_path_factory.mktemp("store") / "workspace", "scratch", "mobilenetv2")


def test_a_workspace_s_models_answer_calibrated(workspace: Path) -> None:
    opened = open_model_store(workspace=workspace)
    assert opened.names == MEASURED
    assert opened.expressions == EXPRESSIONS
    assert opened.title("scratch") == "Tiny scratch"
    reading = opened.predictor("scratch").read(FACES)
    raw = opened.predictor("scratch").model.predict(FACES[..., np.newaxis], verbose=0)
    assert (raw.argmax(axis=1) == LABELS).mean() > 0.6
    np.testing.assert_allclose(reading.probabilities, softmax(np.log(raw) / TEMPERATURE), atol=1e-3)
    assert reading.sets is not None
    # The threshold is one of probabilities as they come, before the temperature.
    np.testing.assert_array_equal(reading.sets, raw >= THRESHOLD)
    assert 1 < reading.sets.sum(axis=1).mean() < 2


def test_no_face_is_an_answer_of_no_rows(workspace: Path) -> None:
    reading = open_model_store(workspace=workspace).predictor("scratch").read(FACES[:0])
    assert reading.probabilities.shape == (0, 3)


def test_an_unsure_face_s_set_holds_the_most_probable_expression() -> None:
    reading = Predictor(tiny_member(0), EXPRESSIONS, Trust(threshold=0.9999)).read(FACES)
    assert reading.sets is not None
    np.testing.assert_array_equal(reading.sets.argmax(axis=1), reading.probabilities.argmax(axis=1))
    assert set(reading.sets.sum(axis=1)) == {1}


def test_a_model_is_loaded_once_whoever_asks_at_the_same_time(workspace: Path, monkeypatch) -> None:
    loads: list[Path] = []

    def load_model(file: Path, **_: object):
        loads.append(file)
        return tiny_member(0)

    monkeypatch.setattr(model_store, "load_model", load_model)
    opened = open_model_store(workspace=workspace)
    assert loads == []
    found: list[Predictor] = []
    threads = [
        threading.Thread(target=lambda: found.append(opened.predictor("scratch"))) for _ in range(8)
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
        opened.predictor("resnet50")
    assert opened.title("resnet50") == "resnet50"
    assert opened.fault("scratch") is None


def test_a_model_that_nobody_measured_is_missing_too(workspace: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(workspace, tmp_path / "copy")
    (copy / "reports/evaluate/scratch/metrics.json").unlink()
    with pytest.raises(UserError, match=r"evaluate/scratch/metrics\.json is missing: `dvc pull`"):
        open_model_store(workspace=copy).predictor("scratch")


def test_an_unknown_model_names_those_that_there_are(workspace: Path) -> None:
    with pytest.raises(UserError, match="no model 'vgg': expected one of scratch, resnet50, mob"):
        open_model_store(workspace=workspace).predictor("vgg")


def test_a_path_is_a_model_of_which_nothing_was_measured(workspace: Path) -> None:
    opened = open_model_store(workspace=workspace)
    reading = opened.predictor(str(workspace / "models/scratch/model.keras")).read(FACES)
    assert reading.sets is None
    named = opened.predictor("scratch").model.predict(FACES[..., np.newaxis], verbose=0)
    np.testing.assert_allclose(reading.probabilities, named, atol=1e-5)
    with pytest.raises(UserError, match=r"absent\.keras is missing"):
        opened.predictor("absent.keras")


def test_a_model_of_other_classes_is_refused() -> None:
    with pytest.raises(UserError, match="tells 4 expressions apart, expected 3: happy, neutral"):
        Predictor(tiny_member(0, num_classes=4), EXPRESSIONS, Trust())


def test_outside_of_a_workspace_one_line_says_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no dvc\.yaml in"):
        open_model_store(workspace=tmp_path)


class Broken:
    """A model that gives what it is told to, whatever it is asked."""

    output_shape = (None, 3)

    def __init__(self, row: list[float]) -> None:
        self.row = row

    def predict_on_batch(self, faces: np.ndarray) -> np.ndarray:
        return np.array([self.row] * len(faces), np.float32)


@pytest.mark.parametrize("row", [[np.nan, 0.5, 0.5], [-1, 1, 1], [3, 5, 4], [0, 0, 0]])
def test_what_is_no_probability_is_no_answer(row: list[float]) -> None:
    with pytest.raises(UserError, match="the model gives what is no probability"):
        Predictor(Broken(row), EXPRESSIONS, Trust()).read(FACES)
