from pathlib import Path

import keras
import numpy as np
import pytest

from fer_data.params import read_settings
from fer_data.stage import UserError
from fer_models.saving import save_model
from fer_models.scratch import ModelSettings, build_model
from fer_models.zoo import ZOO, model_named

PARAMS = Path(__file__).parents[2] / "params.yaml"
FACES = np.random.default_rng(0).integers(0, 256, (2, 48, 48, 1), np.uint8)


def build(name: str) -> keras.Model:
    row = model_named(name)
    keras.utils.set_random_seed(0)
    return row.build(read_settings(row.settings_class, f"models.{name}", file=PARAMS), 6)


@pytest.mark.parametrize("name", ZOO)
def test_a_model_maps_faces_to_probabilities(name: str) -> None:
    probabilities = build(name).predict(FACES, verbose=0)
    assert probabilities.shape == (2, 6)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    assert np.abs(probabilities[0] - probabilities[1]).max() > 0


@pytest.mark.parametrize("name", ZOO)
def test_a_saved_model_gives_equal_outputs_and_equal_bytes(name: str, tmp_path: Path) -> None:
    model = build(name)
    model.compile("rmsprop", "sparse_categorical_crossentropy")
    model.fit(FACES, np.array([0, 1]), verbose=0)
    for file in ("first.keras", "second.keras"):
        save_model(model, tmp_path / file)
    assert (tmp_path / "first.keras").read_bytes() == (tmp_path / "second.keras").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first.keras", "second.keras"]
    loaded = keras.models.load_model(tmp_path / "first.keras")
    assert getattr(loaded, "optimizer", None) is None
    expected = model.predict(FACES, verbose=0)
    np.testing.assert_array_equal(loaded.predict(FACES, verbose=0), expected)


def test_an_unknown_model_names_those_that_there_are() -> None:
    with pytest.raises(UserError, match="no model 'vgg' in the zoo: expected one of scratch"):
        model_named("vgg")


def test_scratch_has_the_paper_s_eleven_layers() -> None:
    kinds = [type(layer).__name__ for layer in build("scratch").layers]
    assert kinds == [
        "InputLayer",
        "Rescaling",
        *("Conv2D", "MaxPooling2D") * 3,
        *("Dropout", "Flatten", "Dense", "Dense"),
    ]
    assert len(kinds) - 1 == 11


def test_scratch_has_the_paper_s_numbers() -> None:
    model = build("scratch")
    settings = read_settings(ModelSettings, "models.scratch", file=PARAMS)
    assert (settings.optimizer, settings.epochs, settings.dropout) == ("rmsprop", 30, 0.4)
    dropout, dense = model.layers[-4], model.layers[-2]
    assert dropout.rate == pytest.approx(0.4)
    assert float(dense.kernel_regularizer.l2) == pytest.approx(0.001)


def test_scratch_rescales_to_one() -> None:
    settings = read_settings(ModelSettings, "models.scratch", file=PARAMS)
    rescaling = build_model(settings, 6).layers[1]
    white = np.full((1, 48, 48, 1), 255, np.uint8)
    assert float(np.max(rescaling(white))) == pytest.approx(1)
