import numpy as np
import pytest

from fer_models.detection.face_detector import Face
from fer_models.inference.calibrated_model import CalibratedPredictions
from fer_models.inference.videos.tracking import Tracker

IMAGE = np.zeros((240, 320, 3), np.uint8)


def face(left: int, gray: int = 0) -> Face:
    """Someone 100 pixels wide, whose expression the gray tells."""
    return Face((left, 50, 100, 100), None, np.full((48, 48), gray, np.uint8), 0.9)


class FakeFinder:
    """Sees, frame by frame, what it is told."""

    def __init__(self, *frames: list[Face]) -> None:
        self.frames, self.calls = list(frames), []

    def find_in_frame(self, image: np.ndarray, *, smallest_face: float) -> list[Face]:
        assert 0 < smallest_face < image.shape[0]
        self.calls.append("find_in_frame")
        return self.frames.pop(0)

    def follow(self, image: np.ndarray, faces: list[Face]) -> list[Face]:
        assert image.shape == IMAGE.shape
        self.calls.append(len(faces))
        return self.frames.pop(0)


class FakeModel:
    """Predicts happy for bright faces, sad for dark ones."""

    expressions = ("happy", "sad")
    name = "fake"

    def predict(self, faces: np.ndarray) -> CalibratedPredictions:
        assert faces.dtype == np.uint8
        happy = faces[:, 0, 0].astype(np.float32) / 255
        return CalibratedPredictions(np.stack([happy, 1 - happy], axis=1), None)


def tracker(finder: FakeFinder, **options: float) -> Tracker:
    return Tracker(finder, FakeModel(), **options)  # type: ignore[arg-type] # stand-ins


def numbers(tracked: Tracker, num_frames: int, *, seconds: float = 0.04) -> list[list[int]]:
    return [
        [one.number for one in tracked.step(IMAGE, seconds=number * seconds)]
        for number in range(num_frames)
    ]


def test_a_video_is_searched_every_few_frames_and_followed_in_between() -> None:
    finder = FakeFinder(*([face(10 + 5 * number)] for number in range(7)))
    assert numbers(tracker(finder, look_every=3), 7) == [[1]] * 7
    assert finder.calls == ["find_in_frame", 1, 1, "find_in_frame", 1, 1, "find_in_frame"]


def test_people_keep_their_numbers_when_the_order_changes() -> None:
    finder = FakeFinder([face(0), face(200)], [face(200), face(10)], [face(20), face(200)])
    tracked = tracker(finder)
    boxes = [
        {one.number: one.face.box[0] for one in tracked.step(IMAGE, seconds=0.04 * number)}
        for number in range(3)
    ]
    assert boxes == [{1: 0, 2: 200}, {1: 10, 2: 200}, {1: 20, 2: 200}]


def test_somebody_who_turns_away_for_a_moment_is_the_same() -> None:
    finder = FakeFinder([face(0)], [], [], [face(10)])
    assert numbers(tracker(finder, look_every=1), 4, seconds=0.2) == [[1], [], [], [1]]


def test_somebody_who_was_gone_for_long_is_new() -> None:
    finder = FakeFinder([face(0)], [], [], [face(0)])
    assert numbers(tracker(finder, look_every=1), 4, seconds=0.5) == [[1], [], [], [2]]


def test_a_stranger_gets_a_number_only_from_a_search() -> None:
    finder = FakeFinder([face(0)], [face(0), face(200)], [face(0), face(200)])
    assert numbers(tracker(finder, look_every=2), 3) == [[1], [1], [1, 2]]


def test_probabilities_follow_slowly_by_time_and_not_by_frame() -> None:
    frames = [[face(0, 0)]] + [[face(0, 255)]] * 10
    coarse = tracker(FakeFinder(*frames), smoothing_seconds=0.5)
    fine = tracker(FakeFinder(*frames), smoothing_seconds=0.5)
    shown = [coarse.step(IMAGE, seconds=0.1 * number)[0] for number in range(6)]
    again = [fine.step(IMAGE, seconds=0.05 * number)[0] for number in range(11)]
    happy = [float(one.probabilities[0]) for one in shown]
    np.testing.assert_allclose(happy, 1 - np.exp(-0.2 * np.arange(6)), atol=1e-6)
    assert float(again[-1].probabilities[0]) == pytest.approx(happy[-1], abs=1e-5)
    assert shown[-1].probabilities.sum() == pytest.approx(1, abs=1e-6)


def test_without_smoothing_each_frame_stands_alone() -> None:
    finder = FakeFinder([face(0, 0)], [face(0, 255)], [face(0, 0)])
    tracked = tracker(finder, smoothing_seconds=0)
    happy = [
        float(tracked.step(IMAGE, seconds=0.04 * number)[0].probabilities[0]) for number in range(3)
    ]
    assert happy == [0, 1, 0]
