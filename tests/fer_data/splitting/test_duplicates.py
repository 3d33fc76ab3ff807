import numpy as np
import pytest

from fer_data.splitting.duplicates import near_duplicates, near_groups, near_pairs
from fer_data.synthetic.faces import draw_face


@pytest.fixture
def faces() -> np.ndarray:
    """20 drawn faces, the copies of three of them, and two black images."""
    generator = np.random.default_rng(0)
    drawn = np.stack([draw_face("happy", generator) for _ in range(20)])
    noisy = np.clip(drawn[3] * 0.7 + generator.normal(20, 4, (48, 48)), 0, 255).astype(np.uint8)
    shifted = np.roll(drawn[5], 1, axis=1)
    black = np.zeros((2, 48, 48), np.uint8)
    return np.concatenate([drawn, [noisy, shifted, drawn[7][:, ::-1]], black])


def test_other_exposures_shifts_and_mirrors_are_found_and_strangers_are_not(faces) -> None:
    pairs = near_duplicates(faces, min_correlation=0.95)
    assert pairs.tolist() == [[3, 20], [5, 21], [7, 22]]


def test_equal_images_are_near_duplicates_except_those_of_one_gray(faces) -> None:
    pairs = near_duplicates(
        np.concatenate([faces[:2], faces[:1], faces[-2:]]), min_correlation=0.999
    )
    assert pairs.tolist() == [[0, 2]]


def test_groups_hold_duplicates_of_duplicates_and_exact_duplicates(faces) -> None:
    again = faces[20:21]
    exact = np.array([*range(24), 23, 20])
    pairs = near_pairs(np.concatenate([faces, again]), exact, min_correlation=0.95)
    assert pairs.tolist() == [[3, 20], [5, 21], [7, 22]]  # 25 goes with 20, its exact duplicate
    groups = near_groups(pairs, exact)
    assert groups[3] == groups[20] == groups[25]
    assert groups[23] == groups[24]
    assert len(set(groups)) == 26 - 5
    assert groups[0] == 0


def test_more_faces_than_a_block_are_compared_across_blocks() -> None:
    faces = np.random.default_rng(0).integers(0, 256, (2100, 48, 48), np.uint8)
    faces[2050] = faces[10]
    faces[1500] = faces[1040][:, ::-1]
    assert near_duplicates(faces, min_correlation=0.99).tolist() == [[10, 2050], [1040, 1500]]


def all_pairs_compared(pixels: np.ndarray, min_correlation: float) -> list[list[int]]:
    """The near-duplicates by the correlation of all pairs, as they are and with one mirrored."""
    small = pixels.reshape(-1, 12, 4, 12, 4).mean(axis=(2, 4))
    centered = small - small.mean(axis=(1, 2), keepdims=True)
    length = np.linalg.norm(centered, axis=(1, 2), keepdims=True)
    unit = np.where(length > 1, centered / np.maximum(length, 1), 0)
    faces, mirrored = unit.reshape(len(unit), -1), unit[:, :, ::-1].reshape(len(unit), -1)
    correlations = np.maximum(faces @ faces.T, mirrored @ faces.T)
    return np.argwhere(np.triu(correlations >= min_correlation, 1)).tolist()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("min_correlation", [0.51, 0.8, 0.9, 0.98, 0.999])
def test_the_same_pairs_as_by_comparing_all(seed, min_correlation) -> None:
    generator = np.random.default_rng(seed)
    drawn = np.stack([draw_face("sad", generator) for _ in range(150)])
    copies = drawn[generator.integers(len(drawn), size=400)].astype(float)
    copies[::2] = copies[::2, :, ::-1]
    copies[:100] = np.roll(copies[:100], 1, axis=2)
    copies[100:300] += generator.normal(0, generator.uniform(1, 40, (200, 1, 1)), (200, 48, 48))
    gray = np.full((5, 48, 48), generator.integers(256))
    noise = generator.integers(0, 256, (50, 48, 48))
    mixed = np.concatenate([drawn, np.clip(copies, 0, 255), gray, noise]).astype(np.uint8)
    pixels = generator.permutation(mixed)
    expected = all_pairs_compared(pixels, min_correlation)
    found = near_duplicates(pixels, min_correlation=min_correlation)
    assert found.tolist() == expected
    assert len(expected) > 50


def test_many_faces_that_are_all_alike_are_all_found() -> None:
    face = draw_face("happy", np.random.default_rng(0)).astype(float)
    noise = np.random.default_rng(1).normal(0, 2, (700, 48, 48))
    alike = np.clip(face + noise, 0, 255).astype(np.uint8)
    assert len(near_duplicates(alike, min_correlation=0.98)) == 700 * 699 // 2


@pytest.mark.parametrize("number", [0, 1])
def test_too_few_faces_have_no_pairs(faces, number) -> None:
    assert near_duplicates(faces[:number], min_correlation=0.98).shape == (0, 2)
    assert near_duplicates(faces[-number - 1 :], min_correlation=0.98).shape == (0, 2)
