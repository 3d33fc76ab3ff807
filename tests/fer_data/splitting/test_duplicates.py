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
