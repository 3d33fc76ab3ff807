import numpy as np
import pytest
from PIL import Image

from fer_models.detection.alignment import ARCHIVE_POINTS
from fer_models.detection.boxes import Detections
from fer_models.detection.face_detector import Face, FaceFinder, whole_image
from tests.support.models.scenes import drawn_face, empty_scene, scene


@pytest.fixture(scope="module")
def finder() -> FaceFinder:
    return FaceFinder()


class FakeCascade:
    """Returns the given detections, view by view."""

    def __init__(self, *views: Detections) -> None:
        self.views = list(views)
        self.searched: list[tuple[np.ndarray, float]] = []

    def detect(self, image: np.ndarray, *, smallest_face: float, reduced: float) -> Detections:
        assert image.dtype == np.uint8
        assert smallest_face == 0
        self.searched.append((image, reduced))
        return self.views.pop(0)


def seen(*faces: tuple[float, int, int, int]) -> Detections:
    """Detections of confidence, left, top and side, the surest first."""
    rows = np.array(faces, np.float64).reshape(-1, 4)
    corners, sides = rows[:, 1:3], rows[:, 3:]
    points = corners[:, np.newaxis] + sides[:, np.newaxis] / 48 * ARCHIVE_POINTS
    return Detections(np.concatenate([corners, corners + sides], axis=1), points, rows[:, 0])


def found_by(fake: FakeCascade, image: np.ndarray) -> list[Face]:
    finder = FaceFinder()
    finder._loaded = fake  # type: ignore[assignment] # stands in for the networks
    return finder.find(image)


def centre(face: Face) -> tuple[float, float]:
    left, top, width, height = face.box
    return left + width / 2, top + height / 2


def test_faces_are_found_where_they_are(finder: FaceFinder) -> None:
    places = [(30, 60, 100), (180, 20, 120)]
    faces = finder.find(scene(*places))
    assert len(faces) == 2
    for face, (left, top, side), seed in zip(faces, places, (0, 1), strict=True):
        assert centre(face) == pytest.approx((left + side / 2, top + side / 2), abs=0.15 * side)
        assert 0.5 * side < face.box[3] < 1.2 * side
        assert face.eyes is not None
        (left_x, left_y), (right_x, right_y) = face.eyes
        assert left < left_x < left + side / 2 < right_x < left + side
        assert max(left_y, right_y) < top + 0.6 * side
        assert 0.7 <= face.confidence <= 1
        assert face.pixels.shape == (48, 48)
        assert face.pixels.dtype == np.uint8
        (alone,) = finder.find(scene((100, 70, 110), first=seed))
        assert np.corrcoef(face.pixels.ravel(), alone.pixels.ravel())[0, 1] > 0.9


def test_nothing_is_found_in_noise(finder: FaceFinder) -> None:
    assert finder.find(empty_scene()) == []


@pytest.mark.parametrize("size", [(20, 300), (300, 8), (1, 1)])
def test_odd_shapes_do_no_harm(finder: FaceFinder, size: tuple[int, int]) -> None:
    image = np.zeros((*size, 3), np.uint8)
    assert all(face.confidence == 1 for face in finder.find(image))


def test_a_large_image_is_searched_in_its_own_pixels(finder: FaceFinder) -> None:
    large = Image.fromarray(scene((200, 60, 100))).resize((3200, 2400))
    (face,) = finder.find(np.asarray(large))
    assert centre(face) == pytest.approx((2500, 1100), abs=150)


def test_small_faces_can_be_left_out(finder: FaceFinder) -> None:
    image = scene((20, 20, 60), (140, 40, 170))
    assert len(finder.find_in_frame(image)) == 2
    assert len(finder.find_in_frame(image, smallest_face=110)) == 1


def test_a_face_is_followed(finder: FaceFinder) -> None:
    before = finder.find_in_frame(scene((60, 40, 120)))
    (after,) = finder.follow(scene((72, 46, 120)), before)
    assert centre(after)[0] - centre(before[0])[0] == pytest.approx(12, abs=4)
    assert centre(after)[1] - centre(before[0])[1] == pytest.approx(6, abs=4)
    assert finder.follow(empty_scene(), before) == []
    assert finder.follow(empty_scene(), []) == []


def test_a_face_crop_is_taken_as_it_is() -> None:
    face = drawn_face()
    crop = np.repeat(face[..., np.newaxis], 3, axis=2)
    (taken,) = FaceFinder().find(crop)
    np.testing.assert_array_equal(taken.pixels, face)
    assert (taken.box, taken.eyes, taken.confidence) == ((0, 0, 48, 48), None, 1.0)


def test_one_face_that_fills_the_image_is_the_image() -> None:
    image = scene((0, 0, 240), size=(240, 240))
    (face,) = found_by(FakeCascade(seen((0.9, 5, 5, 230))), image)
    np.testing.assert_array_equal(face.pixels, whole_image(image).pixels)
    (face,) = found_by(FakeCascade(seen((0.9, 40, 40, 150))), image)
    assert face.eyes is not None


def test_small_crops_need_no_network() -> None:
    finder = FaceFinder()
    for size in ((96, 80), (48, 48), (60, 50)):
        image = np.resize(np.arange(99, dtype=np.uint8), (*size, 3))
        assert [face.confidence for face in finder.find(image)] == [1]
    assert finder._loaded is None


@pytest.mark.parametrize("side", [1, 2, 16, 23])
def test_an_icon_is_no_face(finder: FaceFinder, side: int) -> None:
    icon = Image.fromarray(drawn_face()).convert("RGB").resize((side, side))
    assert all(face.eyes is not None for face in finder.find(np.asarray(icon)))
    assert [face.confidence for face in finder.find(np.full((side, side, 3), 90, np.uint8))] == []


def test_a_small_image_of_one_color_is_no_face(finder: FaceFinder) -> None:
    assert finder.find(np.full((48, 48, 3), 90, np.uint8)) == []


def test_faces_come_from_left_to_right_inside_of_the_image() -> None:
    faces = found_by(FakeCascade(seen((0.99, 250, 100, 100), (0.8, -20, -10, 80))), scene())
    assert [face.box for face in faces] == [(0, 0, 60, 70), (250, 100, 70, 100)]
    assert [face.confidence for face in faces] == [0.8, 0.99]


def test_only_sure_faces_count_where_one_is_sure() -> None:
    fake = FakeCascade(seen((0.9, 100, 50, 60), (0.5, 10, 10, 60)))
    assert [face.confidence for face in found_by(fake, scene())] == [0.9]
    assert len(fake.searched) == 1


def test_a_face_that_shows_in_the_flipped_view_is_found_where_it_is() -> None:
    fake = FakeCascade(seen((0.5, 100, 100, 50)), seen((0.95, 10, 40, 80), (0.5, 200, 40, 80)))
    (face,) = found_by(fake, scene())
    assert face.box == (320 - 10 - 80, 40, 80, 80)
    assert face.eyes is not None
    (left, _), (right, _) = face.eyes
    assert 230 < left < right < 310


def test_an_unsure_face_counts_where_views_agree_on_it() -> None:
    # It is at 100, 60 large; in the flipped view of an image 320 wide at 320 - 100 - 60.
    here, flipped = seen((0.4, 100, 50, 60)), seen((0.35, 160, 50, 60))
    again, other = seen((0.55, 104, 52, 60)), seen((0.65, 4, 4, 30))
    fake = FakeCascade(here, flipped, again, other)
    image = scene((100, 50, 60))
    (face,) = found_by(fake, image)
    assert face.confidence == 0.55  # that of the most confident view
    assert face.box == (104, 52, 60, 60)
    assert [reduced for _, reduced in fake.searched] == [1.0, 1.0, 0.6, 0.6]
    for number, (view, _) in enumerate(fake.searched):
        np.testing.assert_array_equal(view, image[:, ::-1] if number % 2 else image)


def test_what_one_view_alone_takes_for_a_face_is_none() -> None:
    here, elsewhere = seen((0.65, 100, 50, 60)), seen((0.65, 10, 150, 60))
    assert found_by(FakeCascade(here, elsewhere, seen(), seen()), scene()) == []
    surer = FakeCascade(seen(), seen(), seen((0.8, 100, 50, 60)))
    assert [face.box for face in found_by(surer, scene())] == [(100, 50, 60, 60)]


def test_a_whole_image_is_its_middle_square() -> None:
    image = np.zeros((100, 200, 3), np.uint8)
    image[:, 50:150] = 77
    face = whole_image(image)
    assert (face.pixels == 77).all()
    assert (face.box, face.eyes, face.confidence) == ((50, 0, 100, 100), None, 0.0)
