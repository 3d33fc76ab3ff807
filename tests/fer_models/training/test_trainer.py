import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from fer_data.core.errors import UserError
from fer_data.stages.settings import SettingsError, read_settings
from fer_models.core.devices import precision
from fer_models.core.serialization import save_model
from fer_models.core.training_settings import TrainingSettings
from fer_models.training import trainer
from fer_models.training.checkpoints import Checkpoints
from fer_models.training.optimization import learning_rate
from fer_models.training.samples import Samples, with_noisy_copies
from fer_models.training.trainer import fit
from tests.support.models.tiny_dataset import TRAINING_SETTINGS, banded_faces


def training_settings_of(**changes: Any) -> TrainingSettings:
    return TrainingSettings.model_validate_json(
        json.dumps({**TRAINING_SETTINGS, "epochs": 2, **changes})
    )


def samples(num_faces: int, *, seed: int = 0) -> Samples:
    faces, labels = banded_faces(num_faces, seed=seed)
    return Samples(faces[..., None], labels, np.ones(num_faces, np.float32))


def network() -> keras.Model:
    keras.utils.set_random_seed(0)
    faces = keras.Input((48, 48, 1), dtype="uint8")
    maps = keras.layers.Rescaling(1 / 255)(faces)
    features = keras.layers.Dropout(0.2)(keras.layers.AveragePooling2D(8)(maps))
    logits = keras.layers.Dense(3, "softmax", dtype="float32")
    return keras.Model(faces, logits(keras.layers.Flatten()(features)))


def soft_predictions(tmp_path: Path, *, weights: np.ndarray | None = None, **changes: Any):
    """What a network predicts that learned a face with the shares .7, .3, 0, another with 0, 0, 1."""
    faces = np.zeros((64, 48, 48, 1), np.uint8)
    faces[32:] = 255
    shares = np.repeat(np.array([[0.7, 0.3, 0], [0, 0, 1]], np.float32), 32, axis=0)
    ones = np.ones(64, np.float32)
    train = Samples(faces, np.repeat([0, 2], 32), ones if weights is None else weights, shares)
    model = network()
    history = fit(
        *(model, train, Samples(faces, train.labels, ones)),
        settings=training_settings_of(epochs=30, learning_rate=0.03, **changes),
        logs=tmp_path,
        checkpoints=Checkpoints(tmp_path),
    )
    assert history["val_accuracy"].iloc[-1] == 1  # by the labels themselves
    return model.predict(faces[[0, 63]], verbose=0)


def test_a_model_learns_the_shares_of_soft_labels(tmp_path: Path) -> None:
    predicted = soft_predictions(tmp_path)
    np.testing.assert_allclose(predicted, [[0.7, 0.3, 0], [0, 0, 1]], atol=0.05)


def test_soft_labels_compose_with_smoothing(tmp_path: Path) -> None:
    predicted = soft_predictions(tmp_path, label_smoothing=0.3)
    np.testing.assert_allclose(predicted, [[0.59, 0.31, 0.1], [0.1, 0.1, 0.8]], atol=0.05)


@pytest.fixture
def trained(tmp_path: Path) -> Callable[..., tuple[keras.Model, pd.DataFrame]]:
    def train(**changes: Any) -> tuple[keras.Model, pd.DataFrame]:
        model = network()
        history = fit(
            *(model, samples(96), samples(32, seed=1)),
            settings=training_settings_of(**changes),
            logs=tmp_path,
            checkpoints=Checkpoints(tmp_path),
        )
        for file in tmp_path.glob("epoch-*"):
            file.unlink()
        return model, history

    return train


def test_labels_that_are_hardly_smoothed_teach_the_same(trained: Callable) -> None:
    """Without smoothing, the loss takes label numbers; with it, one-hot labels."""
    numbers, _ = trained()
    one_hot, _ = trained(label_smoothing=1e-9)
    for one, other in zip(numbers.get_weights(), one_hot.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
    smooth, _ = trained(label_smoothing=0.3)
    assert np.abs(smooth.get_weights()[0] - one_hot.get_weights()[0]).max() > 1e-3


def test_training_stops_when_patience_ends_and_stays_stopped(tmp_path: Path) -> None:
    settings = training_settings_of(
        epochs=30, patience=2, restore_best_weights=True, monitor="val_loss", learning_rate=1.0
    )
    model, checkpoints = network(), Checkpoints(tmp_path)
    parts = (samples(96), samples(32, seed=1))
    history = fit(model, *parts, settings=settings, logs=tmp_path, checkpoints=checkpoints)
    best = int(history["val_loss"].argmin())
    assert len(history) == best + 3 < 30
    model.compile("sgd", "sparse_categorical_crossentropy")
    loss = model.evaluate(parts[1].inputs, parts[1].labels, verbose=0)
    assert loss == pytest.approx(history["val_loss"].min(), rel=1e-5)
    again = network()
    pd.testing.assert_frame_equal(
        fit(again, *parts, settings=settings, logs=tmp_path, checkpoints=checkpoints), history
    )
    for one, other in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("schedule", "warmup", "expected"),
    [
        ("constant", 0.0, [0.01] * 4),
        ("constant", 0.5, [0.0, 0.005, 0.01, 0.01]),
        ("cosine", 0.0, [0.01, 0.01 * (1 + np.cos(np.pi / 4)) / 2, 0.005, 0.0]),
        ("cosine", 0.5, [0.0, 0.005, 0.01, 0.0]),
    ],
)
def test_the_step_size_follows_the_schedule(
    schedule: str, warmup: float, expected: list[float]
) -> None:
    rate = learning_rate(
        training_settings_of(learning_rate=0.01, schedule=schedule, warmup_fraction=warmup), 100
    )
    steps = [0, 25, 50, 100]
    sizes = [float(np.array(rate(step))) if callable(rate) else rate for step in steps]
    np.testing.assert_allclose(sizes, expected, atol=1e-6)


def test_augmentation_and_noise_are_in_training_and_not_in_the_model(trained: Callable) -> None:
    plain, _ = trained()
    off = TRAINING_SETTINGS["augmentation"]
    augmented, _ = trained(augmentation={**off, "translation_fraction": 0.2})
    noisy, _ = trained(augmentation={**off, "salt_and_pepper_fraction": 0.5})
    weights = [model.get_weights()[0] for model in (plain, augmented, noisy)]
    assert np.abs(weights[1] - weights[0]).max() > 1e-3
    assert np.abs(weights[2] - weights[0]).max() > 1e-3
    kinds = [
        [type(layer).__name__ for layer in model.layers] for model in (plain, augmented, noisy)
    ]
    assert kinds[0] == kinds[1] == kinds[2]


def test_noisy_copies_are_appended() -> None:
    plain = samples(600)
    assert with_noisy_copies(plain, training_settings_of()) is plain
    noise = {"salt_and_pepper_fraction": 0.3, "salt_and_pepper_copies": True}
    settings = training_settings_of(augmentation={**TRAINING_SETTINGS["augmentation"], **noise})
    both = with_noisy_copies(plain, settings)
    assert both.inputs.shape == (1200, 48, 48, 1)
    assert both.inputs.dtype == np.uint8
    np.testing.assert_array_equal(both.inputs[:600], plain.inputs)
    turned = (both.inputs[600:] != plain.inputs).mean()
    assert turned == pytest.approx(0.3, abs=0.01)
    np.testing.assert_array_equal(both.labels[600:], plain.labels)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision_trains_and_the_saved_model_is_of_floats(
    policy: str, tmp_path: Path
) -> None:
    with precision(policy):
        model = network()
    assert keras.config.dtype_policy().name == "float32"
    parts = (samples(96), samples(32, seed=1))
    settings = training_settings_of(epochs=4, learning_rate=0.02)
    history = fit(
        model, *parts, settings=settings, logs=tmp_path, checkpoints=Checkpoints(tmp_path)
    )
    assert history["loss"].iloc[-1] < history["loss"].iloc[0]
    names = tuple(f"class_{number}" for number in range(model.output_shape[-1]))
    save_model(model, tmp_path / "model.keras", expressions=names)
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert {layer.compute_dtype for layer in loaded.layers[1:]} == {"float32"}
    expected = model.predict(parts[1].inputs, verbose=0)
    np.testing.assert_allclose(loaded.predict(parts[1].inputs, verbose=0), expected, atol=5e-3)


def test_float16_scales_the_loss_and_resumes_with_its_scale(tmp_path: Path) -> None:
    parts = (samples(96), samples(32, seed=1))

    def train(folder: Path, epochs: int) -> keras.Model:
        folder.mkdir(exist_ok=True)
        with precision("mixed_float16"):
            model = network()
        settings = training_settings_of(epochs=epochs, optimizer="adam", weight_decay=0.01)
        fit(model, *parts, settings=settings, logs=folder, checkpoints=Checkpoints(folder))
        return model

    train(tmp_path / "twice", 1)
    checkpoint = Checkpoints(tmp_path / "twice").newest()
    assert checkpoint is not None
    assert 2.0**15 in [float(array) for array in checkpoint.arrays["optimizer"] if array.ndim == 0]
    resumed, whole = train(tmp_path / "twice", 2), train(tmp_path / "once", 2)
    for one, other in zip(resumed.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_history_without_numbers_is_not_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As version 0.1.0 kept it."""
    checkpoints, parts = Checkpoints(tmp_path), (samples(32), samples(32, seed=1))
    fit(
        network(),
        *parts,
        settings=training_settings_of(epochs=1),
        logs=tmp_path,
        checkpoints=checkpoints,
    )
    checkpoint = checkpoints.newest()
    assert checkpoint is not None
    checkpoint.state["history"][0]["loss"] = float("inf")
    monkeypatch.setattr(Checkpoints, "newest", lambda _: checkpoint)
    with pytest.raises(UserError, match="training diverged in epoch 1: loss is inf"):
        fit(
            network(),
            *parts,
            settings=training_settings_of(),
            logs=tmp_path,
            checkpoints=checkpoints,
        )


def test_xla_by_order_is_refused_where_it_would_be_ignored(tmp_path: Path) -> None:
    file = tmp_path / "params.yaml"
    for wish, deterministic, refused in (("on", True, True), ("on", False, False)):
        settings = {**TRAINING_SETTINGS, "xla": wish, "deterministic": deterministic}
        file.write_text(json.dumps({"models": {"scratch": settings}}))
        if refused:
            with pytest.raises(SettingsError, match=r"xla 'on' is ignored where .* deterministic"):
                read_settings(TrainingSettings, "models.scratch", file=file)
        else:
            assert read_settings(TrainingSettings, "models.scratch", file=file).xla == "on"


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (tf.errors.ResourceExhaustedError, "out of memory with a batch_size of 16: try 8"),
        (
            tf.errors.UnimplementedError,
            r"no deterministic version .*`deterministic: false` \(No such",
        ),
    ],
)
def test_what_the_device_cannot_do_is_one_line(
    trained: Callable, monkeypatch: pytest.MonkeyPatch, error: type, line: str
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error(None, None, "No such kernel\nstack trace")

    monkeypatch.setattr(trainer, "training_batches", fail)
    with pytest.raises(UserError, match=line):
        trained()
