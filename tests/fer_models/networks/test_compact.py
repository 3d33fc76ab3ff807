"""The compact network: mirror images, small faces first, and going on where it was."""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest

from fer_data.core.errors import UserError
from fer_models.augmentation.layers import NETWORK, Augmentation, Shrinking
from fer_models.core.input_pipeline import make_repeatable
from fer_models.networks.compact import ModelSettings, build_model, flip_averaged, with_features
from fer_models.training.checkpoints import Checkpoint, Checkpoints
from fer_models.training.samples import Samples
from fer_models.training.trainer import fit
from tests.support.models.small_networks import FACES, build
from tests.support.models.tiny_dataset import TRAINING_SETTINGS, banded_faces

MOVED = {**TRAINING_SETTINGS["augmentation"], "translation_fraction": 0.1}
TINY = {
    "filters": [8, 16],
    "dropout": 0.1,
    "epochs": 4,
    "optimizer": "adam",
    "small_faces": {"size": 24, "epochs": 2},
}


class KilledError(Exception):
    """In place of SIGKILL."""


class KilledAfter(Checkpoints):
    """Checkpoints of a training that is killed once it has kept its second epoch."""

    def save(self, checkpoint: Checkpoint) -> None:
        super().save(checkpoint)
        if checkpoint.epoch == 2:
            raise KilledError


def settings_of(**changes: Any) -> ModelSettings:
    return ModelSettings.model_validate_json(json.dumps({**TRAINING_SETTINGS, **TINY, **changes}))


def samples(num_faces: int, *, seed: int) -> Samples:
    faces, labels = banded_faces(num_faces, seed=seed)
    return Samples(faces[..., None], labels, np.ones(num_faces, np.float32))


def trained(
    checkpoints: Checkpoints, *, settings: ModelSettings | None = None
) -> tuple[keras.Model, pd.DataFrame]:
    settings = settings or settings_of()
    make_repeatable(0, deterministic=True)
    model = build_model(settings, 3)
    train, validation = samples(96, seed=0), samples(48, seed=1)
    return model, fit(
        model,
        train,
        validation,
        settings=settings,
        logs=checkpoints.folder,
        checkpoints=checkpoints,
    )


def test_a_face_and_its_mirror_image_are_one() -> None:
    model = build("compact")
    said = model.predict(FACES, verbose=0)
    np.testing.assert_allclose(model.predict(FACES[:, :, ::-1], verbose=0), said, atol=1e-6)
    network = model.get_layer(NETWORK)
    straight = network.predict(FACES.astype(np.float32), verbose=0)
    assert np.abs(straight - said).max() > 1e-5


def test_its_features_stand_before_its_probabilities_and_know_no_side() -> None:
    model = build("compact", residual=False, filters=[32, 64, 128, 256])
    both = flip_averaged(with_features(model), settings_of(augmentation=MOVED))
    found = both.predict(FACES, verbose=0)
    assert found.shape == (2, 256 + 6)
    np.testing.assert_allclose(found[:, 256:], model.predict(FACES, verbose=0), atol=1e-6)
    np.testing.assert_allclose(both.predict(FACES[:, :, ::-1], verbose=0), found, atol=1e-5)


def test_plain_stages_are_two_convolutions_each() -> None:
    networks = [
        build("compact", residual=residual, filters=[8, 8, 16, 16]).get_layer(NETWORK)
        for residual in (True, False)
    ]
    kinds = [[type(layer).__name__ for layer in network.layers] for network in networks]
    assert [names.count("Conv2D") for names in kinds] == [1 + 4 * 3 - 1, 1 + 4 * 2]
    assert [names.count("Add") for names in kinds] == [4, 0]
    for size in (24, 48):
        assert networks[1](np.zeros((2, size, size, 1), np.float32)).shape == (2, 6)


def test_the_flip_is_left_out_where_that_is_wanted() -> None:
    model = build("tiny")
    said = model.predict(FACES, verbose=0)
    assert np.abs(model.predict(FACES[:, :, ::-1], verbose=0) - said).max() > 1e-5
    assert build("tiny").count_params() < 5e5


def test_it_has_at_most_two_million_parameters() -> None:
    assert 1e5 < build("compact").count_params() <= 2e6


def test_faces_are_shrunk_in_training_while_that_is_wanted() -> None:
    shrinking = Shrinking(size=24)
    assert shrinking(FACES, training=True).shape == (2, 24, 24, 1)
    np.testing.assert_array_equal(shrinking(FACES, training=False), FACES)
    shrinking.active.assign(0)
    np.testing.assert_array_equal(shrinking(FACES, training=True), FACES)


def test_small_faces_come_first_and_are_learned_from(tmp_path: Path, monkeypatch) -> None:
    seen = []
    assign = keras.Variable.assign
    monkeypatch.setattr(
        keras.Variable,
        "assign",
        lambda variable, value: (
            (seen.append(value) if variable.name == "active" else None) or assign(variable, value)
        ),
    )
    _, history = trained(Checkpoints(tmp_path))
    assert [value for value in seen if isinstance(value, int)] == [1, 1, 0, 0]
    assert history["accuracy"].iloc[-1] > 0.5


def test_killed_between_small_and_whole_faces_it_ends_as_if_it_never_was(tmp_path: Path) -> None:
    """Mixed faces, too: their shares go with the number of the batch."""
    mixed = settings_of(mixup_alpha=0.4)
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
    expected, _ = trained(Checkpoints(tmp_path / "whole"), settings=mixed)
    with pytest.raises(KilledError):
        trained(KilledAfter(tmp_path / "killed"), settings=mixed)
    model, history = trained(Checkpoints(tmp_path / "killed"), settings=mixed)
    assert list(history["epoch"]) == [1, 2, 3, 4]
    for one, other in zip(model.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_weights_decay_and_biases_do_not(tmp_path: Path) -> None:
    for name in ("without", "with"):
        (tmp_path / name).mkdir()
    slow = {"learning_rate": 1e-4, "epochs": 2, "small_faces": {"size": 24, "epochs": 0}}
    plain, _ = trained(Checkpoints(tmp_path / "without"), settings=settings_of(**slow))
    strong, _ = trained(
        Checkpoints(tmp_path / "with"), settings=settings_of(**slow, weight_decay=0.9)
    )
    for one, other in zip(plain.trainable_variables, strong.trainable_variables, strict=True):
        ratio = np.linalg.norm(other) / max(np.linalg.norm(one), 1e-9)
        if one.name == "kernel":
            assert ratio < 0.9995
        elif one.name == "gamma":
            assert ratio == pytest.approx(1, abs=2e-4)


def test_a_network_for_whole_faces_says_so(tmp_path: Path) -> None:
    model = build("scratch")
    settings = settings_of(filters=[8])
    with pytest.raises(UserError, match="scratch takes whole faces alone: set small_faces"):
        fit(
            *(model, samples(8, seed=0), samples(8, seed=1)),
            settings=settings,
            logs=tmp_path,
            checkpoints=Checkpoints(tmp_path),
        )


@pytest.mark.parametrize("axis", [1, 2])
def test_faces_are_smoothed_as_much_as_moving_smooths_them_in_training(axis: int) -> None:
    row = 127 + 100 * np.sin(2 * np.pi * np.arange(48) / 6)
    waves = np.tile(row.astype(np.uint8)[None, :, None, None], (400, 1, 48, 1))
    waves = np.swapaxes(waves, 1, axis)
    model = build_model(settings_of(augmentation=MOVED), 3)
    smooth = keras.Model(model.input, model.get_layer("smooth_columns").output)
    translated = np.array(Augmentation(translation_fraction=0.1, seed=0)(waves, training=True))
    sharp, expected, found = (
        faces[:, 9:39, 9:39].std(axis=(1, 2, 3)).mean()
        for faces in (waves, translated, smooth.predict(waves, verbose=0))
    )
    assert expected < 0.95 * sharp
    assert found == pytest.approx(expected, rel=0.02)


def test_faces_are_not_smoothed_where_training_moves_none() -> None:
    mirrored = {**TRAINING_SETTINGS["augmentation"], "horizontal_flip": True}
    names = [layer.name for layer in build_model(settings_of(augmentation=mirrored), 3).layers]
    assert "smooth_columns" not in names
