import os
from pathlib import Path

import keras
import numpy as np
import pytest

from fer_data.core.errors import UserError
from tests.support.models.small_networks import FACES, build, random_base, settings_of

FINE_TUNES = ("resnet50", "mobilenetv2", "inceptionv3")
PREPROCESSING = {
    "resnet50": keras.applications.resnet50.preprocess_input,
    "mobilenetv2": keras.applications.mobilenet_v2.preprocess_input,
    "inceptionv3": keras.applications.inception_v3.preprocess_input,
}


def base_of(model: keras.Model) -> keras.Model:
    return model.get_layer("base")


def classes_of(layers: list[keras.layers.Layer]) -> list[str]:
    return [type(layer).__name__ for layer in layers]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of MobileNetV2 in Keras' two formats, and some that do not fit it."""
    folder = tmp_path_factory.mktemp("weights")
    base = random_base("mobilenetv2", seed=1)
    base.save_weights(folder / "base.weights.h5")
    base.save(folder / "base_notop.h5")
    half = random_base("mobilenetv2", seed=1, alpha=0.5)
    half.save_weights(folder / "half.weights.h5")
    half.save(folder / "half_notop.h5")
    dense = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    dense.save_weights(folder / "dense.weights.h5")
    (folder / "page.weights.h5").write_text("<html>Sign in</html>")
    return folder


@pytest.mark.parametrize("name", FINE_TUNES)
def test_the_base_gets_what_its_weights_expect(name: str) -> None:
    model = build(name, input_size=96)
    got = keras.Model(model.input, model.get_layer("preprocessing").output)(FACES)
    rgb = np.repeat(keras.ops.image.resize(FACES.astype(np.float32), (96, 96)), 3, axis=-1)
    np.testing.assert_allclose(got, PREPROCESSING[name](rgb), atol=1e-4)


@pytest.mark.parametrize("file", ["base.weights.h5", "base_notop.h5"])
def test_weights_saved_at_one_size_fit_another(folder: Path, file: str) -> None:
    base = base_of(build("mobilenetv2", weights=str(folder / file), input_size=48))
    expected = random_base("mobilenetv2", seed=1).get_weights()
    for loaded, saved in zip(base.get_weights(), expected, strict=True):
        np.testing.assert_array_equal(loaded, saved)


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("half.weights.h5", r"layer Conv1: got \(3, 3, 3, 16\), expected \(3, 3, 3, 32\)$"),
        ("half_notop.h5", r"Conv1.* expects shape \(3, 3, 3, 32\)\. Received .* \(3, 3, 3, 16\)$"),
        ("dense.weights.h5", r"Layer 'Conv1' expected 1 variables, but received 0 variables"),
    ],
)
def test_weights_that_do_not_fit_name_layer_and_shapes(folder: Path, file: str, words: str) -> None:
    with pytest.raises(UserError, match=rf"{file} does not fit MobileNetV2 .*{words}") as caught:
        build("mobilenetv2", weights=str(folder / file))
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("page.weights.h5", "page.weights.h5 is no file of weights: .*signature not found"),
        ("none.weights.h5", "no weights at .*none.weights.h5: expected the path of a file, imag"),
        ("", "no weights at .*: expected the path of a file, imagenet, or none"),
    ],
)
def test_a_file_without_weights_is_one_line(folder: Path, file: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        build("mobilenetv2", weights=str(folder / file))


def test_without_a_network_imagenet_names_both_other_ways(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # nobody listens there
    monkeypatch.delenv("no_proxy", raising=False)
    words = r"weights of ResNet50 cannot be downloaded \(.*\): .* path of a file .* or to none"
    with pytest.raises(UserError, match=words) as caught:
        build("resnet50", weights="imagenet")
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"input_size": 31}, "input_size: got 31, but MobileNetV2 takes at least 32 pixels"),
        ({"trainable_layers": [155, None]}, r"got \[155, None\], but MobileNetV2 has 154 layers"),
        ({"trainable_layers": [None, -155]}, r"got \[None, -155\], but MobileNetV2 has 154 layers"),
    ],
)
def test_settings_that_the_base_cannot_have_are_named(
    folder: Path, changes: dict, words: str
) -> None:
    with pytest.raises(UserError, match=words):
        build("mobilenetv2", **{"weights": str(folder / "base.weights.h5"), **changes})


@pytest.mark.parametrize(
    "changes",
    [
        {"trainable_layers": [0, 0], "freeze_batch_norms": False},
        {"trainable_layers": [None, None], "freeze_batch_norms": True},
    ],
)
def test_frozen_batch_norms_normalise_as_in_inference(folder: Path, changes: dict) -> None:
    base = base_of(build("mobilenetv2", weights=str(folder / "base.weights.h5"), **changes))
    images = keras.random.normal((2, 32, 32, 3), seed=0)
    np.testing.assert_array_equal(base(images, training=True), base(images, training=False))
    kinds = {type(layer) for layer in base.layers if layer.trainable}
    assert keras.layers.BatchNormalization not in kinds
    assert (keras.layers.Conv2D in kinds) == (changes["trainable_layers"] == [None, None])


def test_the_head_is_the_paper_s() -> None:
    pooling, tail = "GlobalAveragePooling2D", ["Dropout", "Dense"]
    head = ["Dropout", "Dense", "BatchNormalization", *tail]
    assert classes_of(build("resnet50").layers[-6:]) == [pooling, *head]
    head = ["Dropout", "Dense", *tail]
    model = build("inceptionv3", l1=0.01, l2=0.02)
    assert classes_of(model.layers[-5:]) == [pooling, *head]
    first, dense, second = model.layers[-4:-1]
    assert (first.rate, second.rate) == (0.5, 0.5)
    decay = dense.kernel_regularizer
    assert (float(decay.l1), float(decay.l2)) == pytest.approx((0.01, 0.02))


@pytest.mark.parametrize(
    ("name", "optimizer", "patience", "part", "degrees"),
    [
        ("resnet50", "rmsprop", 3, 0.15, 15),
        ("mobilenetv2", "adam", None, 0.1, 10),
        ("inceptionv3", "adam", 3, 0.2, 20),
    ],
)
def test_the_recipes_are_the_paper_s(
    name: str, optimizer: str, patience: int | None, part: float, degrees: float
) -> None:
    settings = settings_of(name)
    assert (settings.epochs, settings.optimizer, settings.label_smoothing) == (10, optimizer, 0.0)
    assert settings.patience == patience
    assert settings.restore_best_weights == (patience is not None)
    augmentation = settings.augmentation
    assert (augmentation.translation_fraction, augmentation.zoom_fraction) == (part, part)
    assert (augmentation.rotation_degrees, augmentation.horizontal_flip) == (degrees, True)


@pytest.mark.skipif("FERFLOW_WEIGHTS" not in os.environ, reason="FERFLOW_WEIGHTS names no folder")
def test_the_real_weights_fit_another_size_and_see_different_things() -> None:
    file = Path(os.environ["FERFLOW_WEIGHTS"]) / "mobilenetv2_imagenet_notop.weights.h5"
    model = build("mobilenetv2", weights=str(file), input_size=64, freeze_batch_norms=True)
    layers = base_of(model).layers
    assert not any(layer.trainable for layer in layers[:30])
    for layer in layers:  # folded into the convolutions: each adds a bias, and nothing more
        if isinstance(layer, keras.layers.BatchNormalization):
            gamma, _, mean, variance = layer.get_weights()
            np.testing.assert_allclose(gamma / np.sqrt(variance + layer.epsilon), 1, rtol=1e-5)
            assert not mean.any()
    features = np.asarray(keras.Model(model.input, model.layers[-5].output)(FACES))
    assert features.shape == (2, 1280)
    assert 0 < np.corrcoef(features)[0, 1] < 0.999
