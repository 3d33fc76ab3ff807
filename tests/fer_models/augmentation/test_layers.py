import keras
import numpy as np
import pytest

from fer_models.augmentation.layers import Augmentation, SaltAndPepper
from tests.support.models.tiny_dataset import banded_faces

FACES = banded_faces(40)[0][..., None]
LAYERS = {
    "flips": lambda: Augmentation(horizontal_flip=True, seed=0),
    "affine": lambda: Augmentation(
        rotation_degrees=15.0, translation_fraction=0.1, zoom_fraction=0.1, seed=0
    ),
    "contrast": lambda: Augmentation(contrast_fraction=0.4, seed=0),
    "erasing": lambda: Augmentation(random_erasing_fraction=1.0, seed=0),
    "salt and pepper": lambda: SaltAndPepper(fraction=0.3, seed=0),
}


@pytest.fixture(params=LAYERS)
def layer(request: pytest.FixtureRequest) -> keras.layers.Layer:
    return LAYERS[request.param]()


def test_faces_stay_faces_and_only_training_changes_them(layer: keras.layers.Layer) -> None:
    np.testing.assert_array_equal(layer(FACES), FACES)
    changed = np.array(layer(FACES, training=True))
    assert (changed.dtype, changed.shape) == (np.uint8, FACES.shape)
    assert (changed != FACES).mean() > 0.1


def test_each_call_draws_anew_and_the_seed_repeats_it(layer: keras.layers.Layer) -> None:
    first, second = (np.array(layer(FACES, training=True)) for _ in range(2))
    assert (first != second).any()
    again = layer.__class__.from_config(layer.get_config())
    np.testing.assert_array_equal(again(FACES, training=True), first)


def test_the_draws_go_on_from_a_kept_state(layer: keras.layers.Layer) -> None:
    layer(FACES, training=True)
    states = [np.array(variable) for variable in layer.variables]
    assert states
    expected = np.array(layer(FACES, training=True))
    again = layer.__class__.from_config(layer.get_config())
    for variable, state in zip(again.variables, states, strict=True):
        variable.assign(state)
    np.testing.assert_array_equal(again(FACES, training=True), expected)


def test_a_model_with_it_can_be_saved(layer: keras.layers.Layer, tmp_path) -> None:
    inputs = keras.Input((48, 48, 1), dtype="uint8")
    keras.Model(inputs, layer(inputs)).save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.layers[-1].get_config() == layer.get_config()
    assert not loaded.trainable_weights


@pytest.mark.parametrize("fraction", [0.0, 0.3, 1.0])
def test_salt_and_pepper_turn_the_stated_part(fraction: float) -> None:
    gray = np.full((100, 48, 48, 1), 100, np.uint8)
    noisy = np.array(SaltAndPepper(fraction=fraction, seed=1)(gray, training=True))
    assert (noisy == 0).mean() == pytest.approx(fraction / 2, abs=0.005)
    assert (noisy == 255).mean() == pytest.approx(fraction / 2, abs=0.005)
    assert set(np.unique(noisy)) <= {0, 100, 255}


def test_contrast_keeps_the_mean_and_stays_within_its_limit() -> None:
    generator = np.random.default_rng(0)
    faces = generator.normal(128, 20, (200, 48, 48, 1)).clip(0, 255).astype(np.uint8)
    changed = np.array(Augmentation(contrast_fraction=0.5, seed=2)(faces, training=True))
    np.testing.assert_allclose(changed.mean(axis=(1, 2, 3)), faces.mean(axis=(1, 2, 3)), atol=0.5)
    ratios = changed.std(axis=(1, 2, 3)) / faces.std(axis=(1, 2, 3))
    assert 0.48 < ratios.min() < 0.6
    assert 1.4 < ratios.max() < 1.52


def test_shifts_are_parts_of_the_face() -> None:
    dot = np.zeros((200, 48, 48, 1), np.uint8)
    dot[:, 23:25, 23:25] = 255
    translated = np.array(
        Augmentation(translation_fraction=0.25, seed=0)(dot, training=True), np.float64
    )
    heights = (translated.sum(axis=(2, 3)) * (np.arange(48) - 23.5)).sum(axis=1)
    heights /= translated.sum(axis=(1, 2, 3))
    assert 11 < np.abs(heights).max() <= 12.1


def test_the_stated_part_of_the_faces_loses_a_rectangle_anywhere() -> None:
    black = np.zeros((2000, 48, 48, 1), np.uint8)
    changed = np.array(Augmentation(random_erasing_fraction=0.4, seed=0)(black, training=True))[
        ..., 0
    ]
    assert set(np.unique(changed)) == {0, 128}
    lost = changed[(changed > 0).any(axis=(1, 2))] > 0
    assert len(lost) / len(black) == pytest.approx(0.4, abs=0.05)
    rows, columns = lost.any(axis=2).sum(axis=1), lost.any(axis=1).sum(axis=1)
    np.testing.assert_array_equal(lost.sum(axis=(1, 2)), rows * columns)  # nothing but a rectangle
    assert max(rows.max(), columns.max()) in (23, 24, 25)
    whole = rows[(~lost[:, 0]).all(axis=1) & (~lost[:, -1]).all(axis=1)]  # cut off by no edge
    assert whole.min() in (9, 10)
    often = lost.mean(axis=0)
    assert often[[0, 0, -1, -1], [0, -1, 0, -1]].mean() == pytest.approx(0.35**2 / 4, abs=0.02)
    assert often[16:32, 16:32].mean() == pytest.approx(0.35**2, abs=0.03)
