"""The Python interface: from a photo to the expressions of its faces, in one call."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from PIL import Image

from fer_data.core.schema import FACE_SIZE
from fer_models.detection.face_detector import FaceFinder, whole_image
from fer_models.detection.images import read_image
from fer_models.inference.model_store import HERE, open_model


@dataclass(frozen=True)
class FacePrediction:
    """A model's prediction for one face of an image."""

    box: tuple[int, int, int, int]
    """Left, top, width and height, in pixels of the upright image."""
    confidence: float
    """The detector's, 0 to 1; 1 for a face crop that is taken as it is, 0 for a whole image."""
    probabilities: Mapping[str, float]
    """By expression, the most probable one first; 0 to 1, calibrated; they add up to 1."""
    prediction_set: tuple[str, ...]
    """The conformal set, the most probable expression first: it holds the label that people give as
    often as the evaluation promised. Empty for a model without one, such as an exported file."""
    model: str
    """The model that says so: a name such as `pretrained`, or a file."""

    @property
    def expression(self) -> str:
        """The most probable one."""
        return next(iter(self.probabilities))


class Predictor:
    """Finds the faces of images and predicts their expressions; threads may share it.

    Attributes:
        model: What answers call its model: `pretrained`, a name, or a file.
        expressions: The K classes that it tells apart.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | None = None,
        *,
        workspace: str | os.PathLike[str] = HERE,
    ) -> None:
        """Loads a model, which takes seconds: keep the predictor, and use it for many images.

        Args:
            model: `pretrained`; a model's name in the workspace, such as `compact`; or the path of a
                bundle, of an exported model or of a `.keras` file. By default the workspace's best on
                `validation`; outside of a workspace, or in one that has learned from drawn faces
                or not at all, `pretrained`.
            workspace: The folder whose models count; by default the current one, if it is one.

        Raises:
            UserError: The model is missing or damaged, or could run code.
        """
        name = None if model is None else os.fspath(model)
        self._model = open_model(name, workspace=Path(workspace))
        self._finder = FaceFinder()
        self.model, self.expressions = self._model.name, self._model.expressions

    def predict(
        self,
        image: str | os.PathLike[str] | bytes | Image.Image | np.ndarray,
        *,
        whole: bool = False,
    ) -> list[FacePrediction]:
        """Predicts the expression of each face of an image.

        Args:
            image: A path, the bytes of an image file, a PIL image, or an array: uint8 (H, W) or
                (H, W, 1), gray, or (H, W, 3), RGB. An image of about 48x48 pixels is taken for a face.
            whole: Whether an image in which no face is found is taken for one.

        Returns:
            The faces, from left to right; none where none is found.

        Raises:
            UserError: The image cannot be read, or is an array of another type or shape.
        """
        pixels = read_image(Path(image) if isinstance(image, str | os.PathLike) else image)
        faces = self._finder.find(pixels)
        if not faces and whole:
            faces = [whole_image(pixels)]
        predicted = self._model.predict(
            np.array([face.pixels for face in faces], np.uint8).reshape(-1, FACE_SIZE, FACE_SIZE)
        )
        found: list[FacePrediction] = []
        for number, face in enumerate(faces):
            row = predicted.probabilities[number]
            ranked = {
                self.expressions[at]: float(row[at]) for at in np.argsort(-row, kind="stable")
            }
            in_set = predicted.ranked_set(number, self.expressions)
            probabilities = MappingProxyType(ranked)
            found.append(
                FacePrediction(face.box, face.confidence, probabilities, in_set, self.model)
            )
        return found
