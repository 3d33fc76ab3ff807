import keras
import numpy as np
import pytest

from fer_models.app.grad_cam import heat_map
from fer_models.stacking.members import build_head, join
from tests.support.models.ensemble_members import tiny_member
from tests.support.models.small_networks import build


def banded(label: int) -> np.ndarray:
    """A dark face with a bright band in the third of its class."""
    face = np.full((48, 48), 20, np.uint8)
    face[16 * label : 16 * label + 16] = 230
    return face


def band_reader() -> keras.Model:
    """Tells bright faces from dark ones, by one convolution and a dense layer that are known."""
    layers = keras.layers
    faces = keras.Input((48, 48, 1), dtype="uint8")
    maps = layers.Conv2D(2, 1, activation="relu")(layers.Rescaling(1 / 255)(faces))
    features = layers.GlobalAveragePooling2D()(layers.AveragePooling2D(4)(maps))  # 12x12 before
    model = keras.Model(faces, layers.Dense(3, "softmax")(features))
    kernel = np.array([1, -1], np.float32).reshape(1, 1, 1, 2)
    spoken_for = np.array([[9, 0, 0], [0, 9, 0]], np.float32)
    model.set_weights([kernel, np.array([-0.5, 0.5]), spoken_for, np.zeros(3)])
    return model


@pytest.mark.parametrize("label", range(3))
def test_the_map_is_bright_where_the_expression_shows(label: int) -> None:
    model, face = band_reader(), banded(label)
    bright, dark = (heat_map(model, face, expression) for expression in (0, 1))
    assert bright is not None
    assert dark is not None
    assert (bright.shape, bright.dtype) == ((48, 48), np.float32)
    assert (bright.min(), bright.max()) == (0, 1)
    for seen, place in ((bright, face > 200), (dark, face < 100)):
        assert seen[place].mean() > 0.9
        assert seen[~place].mean() < 0.1


def test_what_speaks_against_an_expression_does_not_show() -> None:
    seen = heat_map(band_reader(), banded(1), 2)
    assert seen is not None
    assert seen.max() == 0


def test_a_network_that_holds_another_one_is_looked_into() -> None:
    model = build("mobilenetv2", input_size=96)
    seen = heat_map(model, banded(1), 2)
    assert seen is not None
    assert 0 <= seen.min() <= seen.max() <= 1


def test_maps_of_a_cell_or_two_show_no_place() -> None:
    assert heat_map(build("mobilenetv2"), banded(1), 2) is None


def test_an_ensemble_s_map_is_the_mean_of_its_members() -> None:
    members = {"one": band_reader(), "two": tiny_member(1)}
    for member in members.values():
        member.trainable = False
    joined = join(members, build_head(2, 3))
    one, two = (heat_map(member, banded(0), 0) for member in members.values())
    seen = heat_map(joined, banded(0), 0)
    assert one is not None
    assert two is not None
    assert seen is not None
    np.testing.assert_allclose(seen, (one + two) / 2, atol=1e-5)
    assert not np.array_equal(one, two)


def test_without_feature_maps_there_is_nothing_to_show() -> None:
    faces = keras.Input((48, 48, 1), dtype="uint8")
    flat = keras.layers.Reshape((2304,))(keras.layers.Rescaling(1 / 255)(faces))
    assert heat_map(keras.Model(faces, keras.layers.Dense(3)(flat)), banded(0), 0) is None
