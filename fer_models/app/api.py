"""The API of the demo app: finds faces in images and predicts their expressions, in plain JSON.

No image is kept: it is gone when its faces are found, and a client sends the faces to predict on them.
"""

import base64
import binascii
import io
import struct
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from fer_data.core.errors import UserError
from fer_data.core.schema import FACE_SIZE
from fer_data.web.html import face_uri
from fer_models.app.grad_cam import heat_map
from fer_models.detection.face_detector import Face, FaceFinder, whole_image
from fer_models.detection.images import read_image
from fer_models.inference.calibrated_model import prediction_in_words
from fer_models.inference.model_store import ModelStore

MOST_FACES = 30
"""Of an image: the surest ones."""

_PREFIX = "data:image/png;base64,"
_MOST_CHARACTERS = 20_000  # a face's PNG takes some 3,000
_HOT, _OPACITY = np.array([255, 96, 32]), 0.75


class Service:
    """The methods of the API, which threads may share."""

    def __init__(self, store: ModelStore, finder: FaceFinder) -> None:
        """Loads nothing yet."""
        self._store, self._finder = store, finder

    def models(self) -> list[dict[str, Any]]:
        """The models: `name`, `title`, and `error`, which is null where the model can predict."""
        return [
            {"name": name, "title": self._store.title(name), "error": self._store.error(name)}
            for name in self._store.names
        ]

    def first(self) -> str:
        """The model to show first: the default, or the first that can predict, or the first name."""
        try:
            return self._store.default()
        except UserError:
            names = self._store.names
            return next((name for name in names if self._store.error(name) is None), names[0])

    def find(self, image: bytes, *, whole: bool = False) -> dict[str, Any]:
        """Finds the faces of an image.

        Args:
            image: The content of an image file.
            whole: Whether the image itself is to be taken for a face, whatever it shows.

        Returns:
            `width` and `height` of the image, in pixels; `num_found`; and `faces`, at most
            `MOST_FACES`, the surest ones: each with its `box` (left, top, width, height, in pixels), the
            detector's `confidence`, 0 to 1, and `pixels`, 48x48 gray ones as the `data:` URI of a PNG.

        Raises:
            UserError: It is not an image, or one of a kind that is not read.
        """
        pixels = read_image(image)
        found = [whole_image(pixels)] if whole else self._finder.find(pixels)
        height, width = pixels.shape[:2]
        shown = _surest(found)
        return {
            "width": width,
            "height": height,
            "num_found": len(found),
            "faces": [
                {
                    "box": list(map(int, face.box)),
                    "confidence": float(face.confidence),
                    "pixels": face_uri(face.pixels),
                }
                for face in shown
            ],
        }

    def ask(self, faces: Sequence[str], model: str) -> list[dict[str, Any]]:
        """Predicts the expressions of faces.

        Args:
            faces: The `pixels` that `find` gave, at most `MOST_FACES`.
            model: The model's name.

        Returns:
            For each face `probabilities` by expression, calibrated; the conformal `set`, a list of
            expressions, the most probable first; and both in `words`: `happy 62 %, or surprise`.

        Raises:
            UserError: A face is none, or the model is unknown or missing.
        """
        if len(faces) > MOST_FACES:
            raise UserError(f"got {len(faces)} faces, expected at most {MOST_FACES} at once")
        pixels = [_decoded(face) for face in faces]
        predictor = self._store.load(self._known(model))
        predictions = predictor.predict(
            np.array(pixels, np.uint8).reshape(-1, FACE_SIZE, FACE_SIZE)
        )
        expressions = predictor.expressions
        found: list[dict[str, Any]] = []
        for number, row in enumerate(predictions.probabilities):
            ranked = predictions.ranked_set(number, expressions)
            ranked = ranked or (expressions[row.argmax()],)
            words = prediction_in_words(ranked, row.max(), num_expressions=len(expressions))
            probabilities = dict(zip(expressions, map(float, row), strict=True))
            found.append({"probabilities": probabilities, "set": list(ranked), "words": words})
        return found

    def read(self, image: bytes, model: str) -> dict[str, Any]:
        """Finds the faces of an image and predicts their expressions: `find` and `ask` in one."""
        found = self.find(image)
        predictions = self.ask([face["pixels"] for face in found["faces"]], model)
        faces = [{**face, **one} for face, one in zip(found["faces"], predictions, strict=True)]
        return {**found, "model": model, "faces": faces}

    def heat_map(self, face: str, model: str) -> dict[str, Any]:
        """Shows what a model looked at.

        Args:
            face: The `pixels` that `find` gave.
            model: The model's name.

        Returns:
            The most probable `expression`, and what spoke for it as `image`, the `data:` URI of a PNG
            to lay over the face; or null, where the model's last feature maps show no place.

        Raises:
            UserError: The face is none, or the model is unknown or missing.
        """
        pixels, predictor = _decoded(face), self._store.load(self._known(model))
        number = int(predictor.predict(pixels[np.newaxis]).probabilities[0].argmax())
        seen = heat_map(predictor.model, pixels, number)
        image = None if seen is None else _overlay(seen)
        return {"expression": predictor.expressions[number], "image": image}

    def _known(self, model: str) -> str:
        """The name of a model of the model store: over the API, a path would open any file."""
        if model not in self._store.names:
            raise UserError(f"no model '{model}': expected one of {', '.join(self._store.names)}")
        return model


def _surest(faces: Sequence[Face]) -> list[Face]:
    """At most `MOST_FACES`, in their order."""
    kept = sorted(range(len(faces)), key=lambda number: -faces[number].confidence)[:MOST_FACES]
    return [faces[number] for number in sorted(kept)]


def _decoded(face: str) -> np.ndarray:
    """The pixels, uint8 (48, 48), of a `data:` URI as `find` gives it."""
    wrong = UserError("got what is no face: expected the `pixels` that `find` gave")
    if not face.startswith(_PREFIX) or len(face) > _MOST_CHARACTERS:
        raise wrong
    try:
        data = base64.b64decode(face.removeprefix(_PREFIX), validate=True)
        with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            if image.mode != "L" or image.size != (FACE_SIZE, FACE_SIZE):
                raise wrong
            return np.asarray(image)
    except (
        *(binascii.Error, OSError, SyntaxError, ValueError),
        *(Image.DecompressionBombError, struct.error, zlib.error),
    ):
        raise wrong from None


def _overlay(seen: np.ndarray) -> str:
    """A map, float32 (48, 48), 0 to 1, as an image: the more spoke there, the less transparent."""
    layer = np.empty((FACE_SIZE, FACE_SIZE, 4), np.uint8)
    layer[..., :3] = _HOT
    layer[..., 3] = np.rint(255 * _OPACITY * seen)
    buffer = io.BytesIO()
    Image.fromarray(layer).save(buffer, format="PNG")
    return _PREFIX + base64.b64encode(buffer.getvalue()).decode("ascii")
