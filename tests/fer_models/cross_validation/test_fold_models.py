import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from fer_models.augmentation.transforms import AffineLimits, random_affine
from fer_models.cross_validation.fold_models import (
    JudgeSettings,
    _augmented_batches,
    build_fold_model,
    features_and_logits,
)
from fer_models.cross_validation.neighbors import nearest


def test_a_network_takes_faces_of_any_size() -> None:
    model = build_fold_model((4, 8), dropout=0.1, num_classes=5)
    for size in (24, 32, 48):
        outputs = model(np.zeros((2, size, size, 1), np.float32))
        assert outputs["features"].shape == (2, 8)
        assert outputs["logits"].shape == (2, 5)


def test_a_flipped_face_has_the_same_prediction() -> None:
    model = build_fold_model((4, 8), dropout=0.1, num_classes=3)
    faces = np.random.default_rng(0).integers(0, 256, (600, 48, 48), np.uint8)
    for smoothed in (False, True):
        both = (
            features_and_logits(model, one, smoothed=smoothed) for one in (faces, faces[:, :, ::-1])
        )
        for straight, flipped in zip(*both, strict=True):
            np.testing.assert_allclose(straight, flipped, atol=1e-4)
            assert len(straight) == 600


def test_batches_are_augmented_in_parallel_and_come_in_order() -> None:
    faces = np.random.default_rng(0).integers(0, 256, (20, 48, 48), np.uint8)
    targets = np.eye(20, dtype=np.float32)
    settings = JudgeSettings.model_validate_json(
        json.dumps(
            {
                **{"filters": [4], "dropout": 0.1, "phases": [[24, 1]], "batch_size": 4},
                **{"learning_rate": 0.01, "weight_decay": 0.0, "label_smoothing": 0.0},
                **{"shift": 3.0, "rotation": 0.2, "zoom": 0.1},
            }
        )
    )
    both = [_augmented_batches(faces, targets, settings, size=24, seed=3) for _ in range(2)]
    runs = [list(batches.take(15).as_numpy_iterator()) for batches in both]
    maps, waiting = [], both[:1]
    while waiting:
        one = waiting.pop()
        maps.append(type(one).__name__)
        waiting += one._inputs()
    assert "_ParallelMapDataset" in maps
    limits = AffineLimits(settings.shift, settings.rotation, settings.zoom)
    for number, (one, other) in enumerate(zip(*runs, strict=True)):
        rows = one[1].argmax(axis=1)
        grey = tf.constant(faces[rows, ..., None], tf.float32)
        expected = random_affine(grey, tf.constant([3, number], tf.int64), size=24, limits=limits)
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(one[1], other[1])
        np.testing.assert_allclose(one[0], expected, atol=1e-3)


def test_smoothing_gives_each_pixel_a_little_of_its_neighbors() -> None:
    faces = keras.Input((48, 48, 1))
    pixels = keras.layers.Flatten()(faces)
    echo = keras.Model(faces, {"features": pixels, "logits": pixels[:, :6]})
    symmetric = np.zeros((1, 48, 48), np.uint8)
    symmetric[0, 10, [20, 27]] = 144
    seen, _ = features_and_logits(echo, symmetric, smoothed=False)
    np.testing.assert_array_equal(seen.reshape(48, 48), symmetric[0])
    seen, _ = features_and_logits(echo, symmetric, smoothed=True)
    around = seen.reshape(48, 48)[9:12, 19:22]
    np.testing.assert_allclose(around, [[1, 10, 1], [10, 100, 10], [1, 10, 1]], rtol=1e-5)
    assert seen.sum() == pytest.approx(2 * 144)


def test_the_nearest_are_those_of_least_angle_among_the_candidates() -> None:
    generator = np.random.default_rng(0)
    features = generator.normal(size=(3000, 6)).astype(np.float32)
    queries, candidates = np.arange(1500), np.arange(1500, 3000)
    found = nearest(features, queries=queries, candidates=candidates, number=3)
    centred = features - features[candidates].mean(axis=0)
    unit = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    expected = (-unit[queries] @ unit[candidates].T).argsort(axis=1)[:, :3] + 1500
    np.testing.assert_array_equal(found, expected)
    assert nearest(features, queries=queries, candidates=candidates[:2], number=9).shape == (
        1500,
        2,
    )
