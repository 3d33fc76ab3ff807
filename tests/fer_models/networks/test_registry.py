import re
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest

from fer_data.core.errors import UserError
from fer_data.stages.settings import read_settings
from fer_models.core.serialization import save_model
from fer_models.networks.registry import ZOO, is_model, model_named, settings_of
from fer_models.networks.scratch import ModelSettings, build_model
from tests.support.models.model_reports import EXPRESSIONS
from tests.support.models.small_networks import FACES, PARAMS, build, random_base

STATED = {
    "resnet50": (175, range(140, 175)),
    "mobilenetv2": (154, range(30, 154)),
    "inceptionv3": (311, range(90)),
}
"""How many layers the base of a fine-tune has, and which of them the paper trains."""


@pytest.fixture(scope="module", params=ZOO)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def loaded_base(name: str) -> keras.Model | None:
    return random_base(name, seed=1) if name in STATED else None


@pytest.fixture(scope="module")
def model(
    name: str, loaded_base: keras.Model | None, tmp_path_factory: pytest.TempPathFactory
) -> keras.Model:
    """Each model once; the fine-tunes start from a file of weights, whose layers they freeze."""
    if loaded_base is None:
        return build(name)
    file = tmp_path_factory.mktemp("weights") / "base.weights.h5"
    loaded_base.save_weights(file)
    return build(name, weights=str(file))


def test_a_model_maps_faces_to_probabilities(model: keras.Model) -> None:
    probabilities = np.asarray(model(FACES, training=False))
    assert probabilities.shape == (2, 6)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    assert np.abs(probabilities[0] - probabilities[1]).max() > 0


@pytest.mark.parametrize("name", STATED, indirect=True, scope="module")
def test_training_changes_exactly_the_stated_layers(
    name: str, model: keras.Model, loaded_base: keras.Model
) -> None:
    """Frozen batch norms stay in inference mode: their moving statistics do not change, either."""
    layers = model.get_layer("base").layers
    num_layers, stated = STATED[name]
    assert len(layers) == num_layers
    assert [number for number, layer in enumerate(layers) if layer.trainable] == list(stated)
    trained = keras.Model(model.input, model.output)
    trained.compile("adam", "sparse_categorical_crossentropy", run_eagerly=True)
    trained.fit(FACES, np.array([0, 1]), verbose=0)
    changed = [
        number
        for number, (layer, loaded) in enumerate(zip(layers, loaded_base.layers, strict=True))
        if not all(map(np.array_equal, layer.get_weights(), loaded.get_weights()))
    ]
    assert changed == [number for number in stated if layers[number].weights]


def test_a_saved_model_gives_equal_outputs_and_equal_bytes(
    model: keras.Model, tmp_path: Path
) -> None:
    for file in ("first.keras", "second.keras"):
        save_model(model, tmp_path / file, expressions=EXPRESSIONS)
    assert (tmp_path / "first.keras").read_bytes() == (tmp_path / "second.keras").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first.keras", "second.keras"]
    loaded = keras.models.load_model(tmp_path / "first.keras")
    assert getattr(loaded, "optimizer", None) is None
    expected = np.asarray(model(FACES, training=False))
    np.testing.assert_array_equal(np.asarray(loaded(FACES, training=False)), expected)


def test_a_saved_model_needs_nothing_but_keras(model: keras.Model, tmp_path: Path) -> None:
    save_model(model, tmp_path / "model.keras", expressions=EXPRESSIONS)
    config = zipfile.ZipFile(tmp_path / "model.keras").read("config.json").decode()
    modules = set(re.findall(r'"module": "([\w.]+)"', config))
    assert "keras.layers" in modules
    assert {module.split(".")[0] for module in modules} == {"keras"}


@pytest.mark.parametrize("name", STATED)
def test_without_weights_everything_is_trained(name: str) -> None:
    layers = build(name).get_layer("base").layers
    assert all(layer.trainable for layer in layers)
    for layer in layers:
        statistics = 2 * isinstance(layer, keras.layers.BatchNormalization)
        assert len(layer.non_trainable_variables) == statistics


def test_an_unknown_model_names_those_that_there_are() -> None:
    with pytest.raises(UserError, match="no model 'vgg' in the zoo: expected one of scratch, res"):
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


def test_a_title_says_what_the_model_started_from() -> None:
    row = model_named("mobilenetv2")
    settings = read_settings(row.settings_class, "models.mobilenetv2", file=PARAMS)
    assert row.title_with(settings) == "MobileNetV2, fine-tuned"
    from_nothing = settings.model_copy(update={"weights": "none"})
    assert row.title_with(from_nothing) == "MobileNetV2, from nothing"
    scratch = model_named("scratch")
    plain = read_settings(scratch.settings_class, "models.scratch", file=PARAMS)
    assert scratch.title_with(plain) == "Eleven-layer CNN from scratch"


def test_a_repeat_differs_from_what_it_repeats_by_its_seed_alone() -> None:
    original, repeat = (settings_of(name, file=PARAMS) for name in ("compact", "compact_2"))
    assert repeat == original.model_copy(update={"seed": original.seed + 2})
    assert model_named("compact_2").title == "Compact network, repeat 2"
    assert model_named("compact_2").build(repeat, 6).count_params() > 1_000_000


@pytest.mark.parametrize("name", ["vgg", "vgg_1", "compact_0", "compact_x", "compact_", "_1"])
def test_no_other_name_is_a_model(name: str) -> None:
    assert not is_model(name)
    with pytest.raises(UserError, match=f"no model '{name}' in the zoo"):
        model_named(name)
