"""Ways to combine members: fitted, held against a library, and compared out of sample."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest
from scipy.optimize import minimize

from fer_models.core.prediction import read_model
from fer_models.core.serialization import save_model
from fer_models.stacking.comparison import combinations
from fer_models.stacking.heads import COMBINERS, MEAN, STACKED, Stacked, cross_fitted, folds_of
from fer_models.stacking.members import join
from tests.fer_models.stacking.test_comparison import CLASSES, FIRST, LABELS, NUMBER, SECOND, voices
from tests.support.models.ensemble_members import tiny_member
from tests.support.models.tiny_dataset import EXPRESSIONS

OUTPUTS = np.stack([FIRST, SECOND], axis=1)
LOUD = np.stack([FIRST, voices(seed=3, sharpness=12, noise=1.6)[1]], axis=1)
"""Beside a member that is too sure of itself."""


def loss_of(probabilities: np.ndarray, labels: np.ndarray = LABELS) -> float:
    return float(-np.log(np.maximum(probabilities[np.arange(len(labels)), labels], 1e-7)).mean())


def test_the_regression_is_fitted_to_convergence() -> None:
    """Its penalized loss is that of the same function minimized from scratch by another way."""
    inputs = np.log(OUTPUTS.astype(np.float64)).reshape(NUMBER, -1)
    target = np.eye(CLASSES)[LABELS]
    width = inputs.shape[1]

    def objective(flat: np.ndarray, l2: float) -> tuple[float, np.ndarray]:
        kernel, bias = flat[: width * CLASSES].reshape(width, CLASSES), flat[width * CLASSES :]
        logits = inputs @ kernel + bias
        logits -= logits.max(axis=1, keepdims=True)
        predictions = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        gradient = inputs.T @ (predictions - target) + l2 * kernel
        value = -np.log(predictions[target > 0]).sum() + l2 / 2 * (kernel**2).sum()
        return value, np.concatenate([gradient.ravel(), (predictions - target).sum(axis=0)])

    for l2 in (0.1, 1.0, 30.0):
        fitted = Stacked.fit(OUTPUTS, LABELS, l2=l2)
        start = np.zeros(width * CLASSES + CLASSES)
        found = minimize(objective, start, args=(l2,), jac=True, method="BFGS", tol=1e-6)
        ours, _ = objective(np.concatenate([fitted.kernel.ravel(), fitted.bias]), l2)
        assert ours == pytest.approx(found.fun, rel=1e-7)


def test_a_class_without_faces_is_never_said() -> None:
    kept = LABELS != 1
    for labels in (LABELS[kept], np.zeros(NUMBER, np.int64)):
        predictions = Stacked.fit(OUTPUTS[: len(labels)], labels, l2=1.0)(OUTPUTS)
        assert predictions.shape == (NUMBER, CLASSES)
        assert (predictions.argmax(axis=1) != 1).all()
        np.testing.assert_allclose(predictions.sum(axis=1), 1)


def test_duplicates_share_a_fold_and_classes_are_spread() -> None:
    groups = np.arange(NUMBER) // 2
    labels = np.repeat(LABELS[: NUMBER // 2], 2)
    folds = folds_of(labels, groups, num_folds=5, seed=0)
    assert set(folds) == set(range(5))
    np.testing.assert_array_equal(folds[::2], folds[1::2])
    for label in range(CLASSES):
        counts = np.bincount(folds[labels == label], minlength=5)
        assert counts.max() - counts.min() <= 2
    assert (folds != folds_of(labels, groups, num_folds=5, seed=1)).any()


@pytest.mark.parametrize("way", [MEAN, STACKED])
def test_no_face_is_answered_by_what_was_fitted_on_it(way: str) -> None:
    seen: list[set[float]] = []

    def fit(outputs: np.ndarray, labels: np.ndarray, *, l2: float) -> Any:
        known = set(outputs[:, 0, 0].tolist())

        def combine(inputs: np.ndarray) -> np.ndarray:
            seen.append(known & set(inputs[:, 0, 0].tolist()))
            return COMBINERS[way].fit(outputs, labels, l2=l2)(inputs)

        return combine

    watched: Any = SimpleNamespace(fit=fit)
    unique = OUTPUTS.copy()
    unique[:, 0, 0] = np.linspace(0.1, 0.9, NUMBER, dtype=np.float32)
    folds = folds_of(LABELS, np.arange(NUMBER), num_folds=5, seed=0)
    predictions = cross_fitted(watched, unique, LABELS, folds=folds, l2=1.0)
    assert seen == [set()] * 5
    assert np.isfinite(predictions).all()


def test_a_fit_that_knows_its_faces_by_heart_is_not_preferred() -> None:
    """On 20 faces and next to no penalty it predicts its own faces best, and new ones worst."""
    few, labels = LOUD[:20], LABELS[:20]
    folds = folds_of(labels, np.arange(20), num_folds=5, seed=0)
    members = {"one": few[:, 0], "other": few[:, 1]}
    within = {name: way.fit(few, labels, l2=1e-3)(few) for name, way in COMBINERS.items()}
    without = {
        name: cross_fitted(way, few, labels, folds=folds, l2=1e-3)
        for name, way in COMBINERS.items()
    }
    assert combinations(labels, members, within, seed=0)["best_way"] == STACKED
    best = combinations(labels, members, without, seed=0)["best_way"]
    assert best != STACKED
    assert loss_of(without[best], labels) == min(loss_of(one, labels) for one in without.values())


def test_a_member_that_is_too_sure_is_cooled_before_the_mean() -> None:
    """The sharper a member, the more it drowns the others, unless it is calibrated."""
    folds = folds_of(LABELS, np.arange(NUMBER), num_folds=5, seed=0)
    predictions = {
        name: cross_fitted(way, LOUD, LABELS, folds=folds, l2=1.0)
        for name, way in COMBINERS.items()
    }
    right = {name: (one.argmax(axis=1) == LABELS).mean() for name, one in predictions.items()}
    assert right["calibrated_mean"] > right["mean"] + 0.02
    assert (
        loss_of(predictions["stacked"])
        < loss_of(predictions["calibrated_mean"])
        < loss_of(predictions["mean"])
    )


@pytest.mark.parametrize("name", COMBINERS)
def test_the_saved_model_answers_as_the_way_that_was_measured(name: str, tmp_path: Path) -> None:
    faces = np.random.default_rng(0).integers(0, 256, (40, 48, 48, 1), np.uint8)
    members = {"resnet50": tiny_member(0), "mobilenetv2": tiny_member(1)}
    outputs = np.stack(
        [np.asarray(member.predict(faces, verbose=0)) for member in members.values()], axis=1
    )
    way = COMBINERS[name].fit(outputs, np.arange(40) % 3, l2=1.0)
    file = tmp_path / "model.keras"
    save_model(join(members, way.layers), file, expressions=EXPRESSIONS)
    loaded = read_model(file, expressions=EXPRESSIONS)
    np.testing.assert_allclose(loaded.predict(faces, verbose=0), way(outputs), atol=1e-5)
    assert all(type(layer).__module__.startswith("keras.") for layer in loaded.layers)
    assert isinstance(loaded, keras.Model)
