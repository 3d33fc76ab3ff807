"""A model that a teacher teaches beside the labels."""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from fer_data.core.errors import UserError
from fer_models.training.augmented_model import augmented
from fer_models.training.checkpoints import Checkpoints
from fer_models.training.distillation import Distillation
from fer_models.training.samples import Samples
from fer_models.training.train import teacher_files
from fer_models.training.trainer import fit
from tests.fer_models.training.test_trainer import network, samples, training_settings_of
from tests.support.models.small_networks import build, settings_of

SAYS = np.array([[0.1, 0.2, 0.7], [0.6, 0.3, 0.1]], np.float32)
TEACHES = np.array([[0.0, 0.5, 0.5], [1.0, 0.0, 0.0]], np.float32)


def contrary_teacher() -> keras.Model:
    """Knows nothing of faces, and says that each is of the third class by .8."""
    faces = keras.Input((48, 48, 1), dtype="uint8")
    still = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(0.0)(faces))
    layer = keras.layers.Dense(3, "softmax", dtype="float32")
    model = keras.Model(faces, layer(still))
    layer.set_weights([np.zeros((1, 3)), np.log([0.1, 0.1, 0.8])])
    return model


def taught(folder: Path, teacher: keras.Model | None, **changes: Any) -> tuple[keras.Model, Any]:
    model = network()
    history = fit(
        *(model, samples(96), samples(32, seed=1)),
        settings=training_settings_of(epochs=12, **changes),
        logs=folder,
        checkpoints=Checkpoints(folder),
        teacher=teacher,
    )
    return model, history


def test_the_loss_is_the_cross_entropy_with_the_teacher() -> None:
    layer = Distillation(2.0)
    np.testing.assert_array_equal(layer(SAYS, TEACHES, training=True), SAYS)
    expected = 2 * np.mean([-0.5 * np.log(0.2) - 0.5 * np.log(0.7), -np.log(0.6)])
    assert float(layer.losses[0]) == pytest.approx(expected, rel=1e-6)


def test_nothing_is_added_where_nothing_is_learned() -> None:
    layer = Distillation(2.0)
    layer(SAYS, TEACHES, training=False)
    assert not layer.losses


def test_a_heavy_teacher_is_believed_and_labels_otherwise(tmp_path: Path) -> None:
    faces = samples(32, seed=1).inputs
    for weight, low, high in ((1e4, 0.75, 0.85), (1e-6, 0.0, 0.6)):
        folder = tmp_path / f"{weight}"
        folder.mkdir()
        model, _ = taught(folder, contrary_teacher(), teacher_weight=weight)
        third = model.predict(faces, verbose=0)[:, 2].mean()
        assert low < third < high


def test_the_loss_on_validation_is_that_of_the_labels(tmp_path: Path) -> None:
    model, history = taught(tmp_path, contrary_teacher(), teacher_weight=50.0)
    watched = samples(32, seed=1)
    of_label = model.predict(watched.inputs, verbose=0)[np.arange(32), watched.labels]
    assert history["val_loss"].iloc[-1] == pytest.approx(-np.log(of_label).mean(), rel=1e-4)


def test_a_weight_without_a_teacher_is_refused(tmp_path: Path) -> None:
    """As of fold models or the ensemble's head, where `training` gives all sections a weight."""
    with pytest.raises(
        UserError, match=r"^teacher_weight is 2, and no model teaches \w+: expected 0"
    ):
        taught(tmp_path, None, teacher_weight=2.0)


def test_a_teacher_of_whole_faces_cannot_see_small_ones() -> None:
    settings = settings_of("compact", teacher_weight=1.0, small_faces={"size": 24, "epochs": 1})
    with pytest.raises(
        UserError, match=r"^small_faces: the teacher, scratch, takes whole faces alone"
    ):
        augmented(build("compact"), settings, teacher=build("scratch"))


def test_a_teacher_stays_as_it_is(tmp_path: Path) -> None:
    teacher = contrary_teacher()
    before = [np.array(value) for value in teacher.get_weights()]
    taught(tmp_path, teacher, teacher_weight=1.0)
    for value, earlier in zip(teacher.get_weights(), before, strict=True):
        np.testing.assert_array_equal(value, earlier)


def test_the_saved_model_holds_nothing_of_its_teacher() -> None:
    model = network()
    trained = augmented(model, training_settings_of(teacher_weight=1.0), teacher=contrary_teacher())
    assert {id(variable) for variable in trained.trainable_variables} == {
        id(variable) for variable in model.trainable_variables
    }
    assert len(json.loads(model.to_json())["config"]["layers"]) == len(network().layers)


def test_a_teacher_that_is_not_there_is_named(tmp_path: Path) -> None:
    settings = training_settings_of(teacher_weight=9.0)
    with pytest.raises(
        UserError,
        match=r"^models\.tiny\.teacher_weight is 9, and \S+ holds no model\.keras: expected ",
    ):
        teacher_files("tiny", settings, tmp_path)


def test_a_teacher_without_weight_teaches_nothing_and_the_log_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    (tmp_path / "model.keras").touch()
    assert teacher_files("tiny", training_settings_of(), tmp_path) == []
    assert "tiny learns nothing from" in caplog.text
    (tmp_path / "model.keras").unlink()
    assert teacher_files("scratch", training_settings_of(), tmp_path) == []


def test_mixed_faces_are_learned_from(tmp_path: Path) -> None:
    train = samples(96)
    model = network()
    history = fit(
        *(model, Samples(train.inputs, train.labels, train.weights), samples(32, seed=1)),
        settings=training_settings_of(epochs=12, mixup_alpha=0.4),
        logs=tmp_path,
        checkpoints=Checkpoints(tmp_path),
    )
    assert history["val_accuracy"].iloc[-1] > 0.7
