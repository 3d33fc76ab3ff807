"""Predicts the expressions of many images, one row a face."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fer_data.core.errors import UserError
from fer_models.detection.face_detector import Face, FaceFinder, whole_image
from fer_models.detection.images import read_image
from fer_models.inference.calibrated_model import CalibratedModel

BATCH = 256
"""Faces that are predicted at once."""


@dataclass(frozen=True)
class Row:
    """A face of an image, or an image without any."""

    path: Path
    number: int
    """From 1, left to right; 0 where the image shows no face."""
    face: Face | None
    probabilities: np.ndarray | None
    """float32 (K,), calibrated; None without a face."""
    expressions: tuple[str, ...]
    """The K classes."""
    model: str
    """The name of the model that gave them."""
    in_set: tuple[str, ...] = ()
    """The prediction set, the most probable one first: it holds the given label as often as `evaluate`
    promised. Empty where no threshold is known."""

    @property
    def expression(self) -> str:
        """The most probable one, or empty."""
        return "" if self.probabilities is None else self.expressions[self.probabilities.argmax()]


def read_expressions(
    files: Iterable[Path],
    finder: FaceFinder,
    model: CalibratedModel,
    *,
    whole_images: bool = False,
    report: Callable[[str], None],
) -> Iterator[Row]:
    """Predicts the expressions of the faces of images.

    Args:
        files: The images; they are read as they come.
        finder: Finds the faces.
        model: The model.
        whole_images: Whether an image in which no face is found is taken for one.
        report: Called with a line for each file that cannot be read, which is left out.

    Yields:
        The faces, in the order of the files, `BATCH` and more at a time.
    """
    waiting: list[tuple[Path, int, Face | None]] = []
    for file in files:
        try:
            image = read_image(file)
        except UserError as error:
            report(str(error))
            continue
        faces = finder.find(image)
        if not faces and whole_images:
            faces = [whole_image(image)]
        waiting += [(file, number, face) for number, face in enumerate(faces, 1)]
        if not faces:
            waiting.append((file, 0, None))
        if len(waiting) >= BATCH:
            yield from _predicted(waiting, model)
            waiting = []
    yield from _predicted(waiting, model)


def _predicted(
    waiting: list[tuple[Path, int, Face | None]], model: CalibratedModel
) -> Iterator[Row]:
    faces = [face.pixels for _, _, face in waiting if face is not None]
    predictions = model.predict(np.array(faces, np.uint8))
    names = model.expressions
    place = 0
    for path, number, face in waiting:
        if face is None:
            yield Row(path, number, None, None, names, model.name)
            continue
        probabilities = predictions.probabilities[place]
        in_set = predictions.ranked_set(place, names)
        yield Row(path, number, face, probabilities, names, model.name, in_set)
        place += 1
