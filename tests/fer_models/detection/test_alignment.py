import numpy as np
import pytest
from PIL import Image

from fer_models.detection.alignment import ARCHIVE_POINTS, aligned, coverage, similarity
from tests.support.models.scenes import drawn_face, scene


def transformed(points: np.ndarray, *, degrees: float, scale: float, shift: tuple[float, float]):
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return scale * points @ turn.T + shift


def test_a_similarity_is_recovered() -> None:
    target = transformed(ARCHIVE_POINTS, degrees=25, scale=3.5, shift=(100, -20))
    found = similarity(ARCHIVE_POINTS, target)
    np.testing.assert_allclose(ARCHIVE_POINTS @ found[:, :2].T + found[:, 2], target, atol=1e-9)
    assert np.hypot(found[0, 0], found[1, 0]) == pytest.approx(3.5)


def test_noisy_points_give_the_least_squares() -> None:
    noise = np.random.default_rng(0).normal(size=(5, 2))
    target = transformed(ARCHIVE_POINTS, degrees=-10, scale=2, shift=(5, 7)) + noise
    found = similarity(ARCHIVE_POINTS, target)

    def error(transform: np.ndarray) -> float:
        return float(((ARCHIVE_POINTS @ transform[:, :2].T + transform[:, 2] - target) ** 2).sum())

    best = error(found)
    for change in ([[0.01, 0, 0], [0, 0.01, 0]], [[0, -0.01, 0], [0.01, 0, 0]], [[0, 0, 0.1]] * 2):
        assert error(found + change) > best
        assert error(found - change) > best


@pytest.mark.parametrize("side", [48, 150, 192])
def test_an_upright_face_comes_back_as_it_was(side: int) -> None:
    face = drawn_face()
    points = ARCHIVE_POINTS * side / 48 + [70, 30]
    again = aligned(scene((70, 30, side)), points)
    assert again.shape == (48, 48)
    assert again.dtype == np.uint8
    assert np.abs(again.astype(int) - face).mean() < 4
    assert np.corrcoef(again.ravel(), face.ravel())[0, 1] > 0.98


def test_a_leaning_face_is_set_upright() -> None:
    face = drawn_face()
    middle = np.array([160.0, 120.0])
    image = Image.fromarray(scene((64, 24, 192)))
    # PIL turns counter-clockwise, which with y downwards is a negative angle.
    leaning = np.asarray(image.rotate(-20, Image.Resampling.BICUBIC))
    points = transformed(4 * ARCHIVE_POINTS - 96, degrees=20, scale=1, shift=tuple(middle))
    again = aligned(leaning, points)[6:-6, 6:-6]
    assert np.corrcoef(again.ravel(), face[6:-6, 6:-6].ravel())[0, 1] > 0.97
    crooked = aligned(leaning, 4 * ARCHIVE_POINTS + [64, 24])[6:-6, 6:-6]
    assert np.corrcoef(crooked.ravel(), face[6:-6, 6:-6].ravel())[0, 1] < 0.9


def test_beyond_the_edge_an_image_goes_on_as_it_is_there() -> None:
    image = np.full((60, 60, 3), 200, np.uint8)
    assert (aligned(image, 2 * ARCHIVE_POINTS - [40, 30]) == 200).all()


def test_an_absurd_scale_stays_within_memory() -> None:
    assert aligned(scene(), 1000 * ARCHIVE_POINTS).shape == (48, 48)


def test_coverage_is_intersection_over_union() -> None:
    assert coverage(ARCHIVE_POINTS, (48, 48, 3)) == pytest.approx(1)
    assert coverage(ARCHIVE_POINTS, (96, 48, 3)) == pytest.approx(0.5)
    assert coverage(ARCHIVE_POINTS + np.array([24, 0]), (48, 48, 3)) == pytest.approx(1 / 3)
    assert coverage(ARCHIVE_POINTS + np.array([100, 0]), (48, 48, 3)) == 0
