from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from fer_models.augmentation.transforms import AffineLimits, random_affine
from tests.support.models.tiny_dataset import banded_faces

IDENTITY = AffineLimits(translation=0.0, rotation=0.0, zoom=0.0)


@pytest.fixture(scope="module")
def faces() -> tf.Tensor:
    return tf.constant(banded_faces(40)[0][..., None], tf.float32)


def apply(faces: tf.Tensor, limits: AffineLimits = IDENTITY, *, seed: int = 0) -> np.ndarray:
    return random_affine(faces, tf.constant([seed, 0], tf.int64), limits=limits).numpy()


def test_about_half_are_flipped_and_nothing_else_happens(faces: tf.Tensor) -> None:
    straight, result = faces.numpy(), apply(faces)
    flipped = straight[:, :, ::-1]
    is_flipped = (result == flipped).all(axis=(1, 2, 3))
    is_straight = (result == straight).all(axis=(1, 2, 3))
    assert (is_flipped ^ is_straight).all()
    assert 10 < is_flipped.sum() < 30


def test_shifts_stay_within_their_limit() -> None:
    dot = np.zeros((200, 48, 48, 1), np.float32)
    dot[:, 23:25, 23:25] = 255
    result = apply(tf.constant(dot), replace(IDENTITY, translation=4.0))
    rows = np.arange(48) - 23.5
    heights = (result.sum(axis=(2, 3)) * rows).sum(axis=1) / result.sum(axis=(1, 2, 3))
    assert 3 < np.abs(heights).max() <= 4.01
    assert np.unique(heights.round(2)).size > 100  # each in its own way


def test_a_rotation_turns_around_the_middle() -> None:
    bar = np.zeros((100, 48, 48, 1), np.float32)
    bar[:, 22:26, 4:44] = 255
    result = apply(tf.constant(bar), replace(IDENTITY, rotation=0.5))
    assert (result[:, 24, 24, 0] > 200).all()
    assert (result[:, 24, 6, 0] == 0).any()


def test_the_seed_decides(faces: tf.Tensor) -> None:
    limits = AffineLimits(translation=3.0, rotation=0.2, zoom=0.1)
    np.testing.assert_array_equal(apply(faces, limits, seed=3), apply(faces, limits, seed=3))
    assert np.abs(apply(faces, limits, seed=3) - apply(faces, limits, seed=4)).max() > 1


def test_faces_that_are_not_to_be_flipped_stay(faces: tf.Tensor) -> None:
    np.testing.assert_array_equal(
        apply(faces, replace(IDENTITY, horizontal_flip=False)), faces.numpy()
    )
