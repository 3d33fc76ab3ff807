"""Tracks the faces of a video, with probabilities smoothed over time.

One frame in `look_every` is searched for faces; in between, the detector's last network alone finds
each face around its last place, which takes much less time.
"""

import math
from dataclasses import dataclass

import numpy as np

from fer_models.detection.face_detector import Face, FaceFinder
from fer_models.inference.calibrated_model import CalibratedModel

LOOK_EVERY = 10
"""Frames from one search for new faces to the next."""
SMOOTHING_SECONDS = 0.4
"""The time in which a new expression makes up 63 % of what is shown; 0 shows each frame alone."""

_LEAST_PART = 12
_LEAST_OVERLAP = 0.3
_PATIENCE_SECONDS = 1.0


@dataclass(frozen=True)
class TrackedFace:
    """A face of a frame."""

    number: int
    """Whose face it is, from 1: the same for as long as it can be followed."""
    face: Face
    probabilities: np.ndarray
    """float32 (K,), calibrated and smoothed."""


@dataclass
class _Track:
    number: int
    face: Face
    probabilities: np.ndarray
    seen: float


class Tracker:
    """The faces of one video.

    Attributes:
        expressions: The K classes.
        model: The name of the model.
    """

    def __init__(
        self,
        finder: FaceFinder,
        model: CalibratedModel,
        *,
        look_every: int = LOOK_EVERY,
        smoothing_seconds: float = SMOOTHING_SECONDS,
    ) -> None:
        """Has seen nothing yet.

        Args:
            finder: Finds the faces.
            model: Predicts their expressions.
            look_every: Frames from one search for new faces to the next; 1 or more.
            smoothing_seconds: How slowly what is shown follows; 0 or more.
        """
        self.expressions, self.model = model.expressions, model.name
        self._finder, self._model = finder, model
        self._look_every, self._smoothing = look_every, smoothing_seconds
        self._tracks: list[_Track] = []
        self._num_frames = self._num_faces = 0

    def step(self, image: np.ndarray, *, seconds: float) -> list[TrackedFace]:
        """Tracks the faces of the next frame.

        Args:
            image: uint8 (H, W, 3), RGB.
            seconds: When the frame shows, since the video's start or any other moment.

        Returns:
            The faces of this frame, by their numbers.
        """
        # 1. Drop tracks that were not seen for a while; for a moment, the face may have turned away.
        self._tracks = [one for one in self._tracks if seconds - one.seen <= _PATIENCE_SECONDS]
        looks = self._num_frames % self._look_every == 0
        self._num_frames += 1
        # 2. Search the whole frame now and then; else look around the known faces alone.
        if looks:
            smallest = min(image.shape[:2]) / _LEAST_PART
            faces = self._finder.find_in_frame(image, smallest_face=smallest)
        else:
            faces = self._finder.follow(image, [track.face for track in self._tracks])
        # 3. Give each face the track that it overlaps most.
        pairs = _paired(faces, [track.face for track in self._tracks])
        if not looks:  # a face of no track waits for the next search
            faces, pairs = _only_known(faces, pairs)
        # 4. Predict all at once, and move each track towards its new probabilities.
        shown: list[_Track] = []
        crops = np.array([face.pixels for face in faces], np.uint8)
        new = self._model.predict(crops).probabilities if faces else []
        for face, known, probabilities in zip(faces, pairs, new, strict=True):
            if known is None:
                self._num_faces += 1
                track = _Track(self._num_faces, face, probabilities, seconds)
                self._tracks.append(track)
            else:
                track = self._tracks[known]
                share = self._share(seconds - track.seen)
                track.probabilities = track.probabilities + share * (
                    probabilities - track.probabilities
                )
                track.face, track.seen = face, seconds
            shown.append(track)
        shown.sort(key=lambda track: track.number)
        return [TrackedFace(track.number, track.face, track.probabilities) for track in shown]

    def _share(self, passed: float) -> np.float32:
        """How much a new frame counts, 0 to 1, after that many seconds."""
        if self._smoothing <= 0:
            return np.float32(1)
        return np.float32(-math.expm1(-max(passed, 0.0) / self._smoothing))


def _only_known(faces: list[Face], pairs: list[int | None]) -> tuple[list[Face], list[int | None]]:
    kept = [number for number, known in enumerate(pairs) if known is not None]
    return [faces[number] for number in kept], [pairs[number] for number in kept]


def _paired(faces: list[Face], known: list[Face]) -> list[int | None]:
    """For each face the known one that it overlaps most, each known one at most once."""
    pairs: list[int | None] = [None] * len(faces)
    overlaps = np.array([[_overlap(face.box, other.box) for other in known] for face in faces])
    while overlaps.size and overlaps.max() >= _LEAST_OVERLAP:
        number, other = np.unravel_index(overlaps.argmax(), overlaps.shape)
        pairs[int(number)] = int(other)
        overlaps[number], overlaps[:, other] = 0, 0
    return pairs


def _overlap(box: tuple[int, ...], other: tuple[int, ...]) -> float:
    """Intersection over union of two boxes, 0 to 1."""
    width = min(box[0] + box[2], other[0] + other[2]) - max(box[0], other[0])
    height = min(box[1] + box[3], other[1] + other[3]) - max(box[1], other[1])
    shared = max(width, 0) * max(height, 0)
    return shared / max(box[2] * box[3] + other[2] * other[3] - shared, 1)
