"""A trained model as people use it: faces in, calibrated probabilities and sets of expressions out."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import numpy as np

from fer_data.core.errors import UserError
from fer_data.core.schema import FACE_SIZE
from fer_models.calibration.conformal import prediction_sets
from fer_models.calibration.reliability import at_temperature

_BATCH = 128
_MOST_OFF = 0.1


@dataclass(frozen=True)
class Trust:
    """What `evaluate` chose on `validation`, so that a model's answers can be trusted."""

    temperature: float = 1.0
    """What to divide the logarithms of probabilities by."""
    threshold: float | None = None
    """The probability, before the temperature, that an expression needs to be in the set."""
    coverage: float | None = None
    """How often a set holds the given label, 0 to 1, as was promised."""


@dataclass(frozen=True)
class Reading:
    """What a model says of N faces, of K expressions."""

    probabilities: np.ndarray
    """float32 (N, K), calibrated."""
    sets: np.ndarray | None
    """bool (N, K): which expressions are in each face's set, the most probable one always; None where
    nothing was measured."""


class Model(Protocol):
    """What can be asked: a `keras.Model`, or `formats.ExportedModel`."""

    @property
    def output_shape(self) -> Any:
        """(None, K)."""
        ...

    @property
    def predict_on_batch(self) -> Callable[[np.ndarray], np.ndarray]:
        """From uint8 faces (N, 48, 48, 1) to probabilities (N, K)."""
        ...


M = TypeVar("M", bound=Model)


class Predictor(Generic[M]):
    """A loaded model, which threads may share.

    Attributes:
        model: What is asked.
        expressions: The K classes.
        trust: How its answers are calibrated.
    """

    def __init__(self, model: M, expressions: tuple[str, ...], trust: Trust) -> None:
        """Keeps the model.

        Raises:
            UserError: It has another number of classes.
        """
        if model.output_shape[-1] != len(expressions):
            raise UserError(
                f"the model tells {model.output_shape[-1]} expressions apart, expected "
                f"{len(expressions)}: {', '.join(expressions)}"
            )
        self.model, self.expressions, self.trust = model, expressions, trust
        self._turn = threading.Lock()

    def read(self, faces: np.ndarray) -> Reading:
        """Says what N faces express.

        Args:
            faces: uint8 (N, 48, 48); N may be 0.

        Raises:
            UserError: The model gives NaN, or anything else that is no probability.
        """
        raw = np.zeros((len(faces), len(self.expressions)), np.float32)
        inputs = faces.reshape(-1, FACE_SIZE, FACE_SIZE, 1)
        with self._turn:  # Keras compiles at the first call, and must not do so twice at once
            for start in range(0, len(inputs), _BATCH):
                batch = slice(start, start + _BATCH)
                raw[batch] = self.model.predict_on_batch(inputs[batch])
        sums = raw.sum(axis=1)  # 8 bits do not add up to 1
        # NaN is neither above 0 nor near 1.
        if not (raw >= 0).all() or not (abs(sums - 1) < _MOST_OFF).all():
            raise UserError("the model gives what is no probability: train or export it anew")
        sets = None
        if self.trust.threshold is not None:
            sets = prediction_sets(raw, self.trust.threshold)
            # An empty set is a true answer to a promise kept on average, and none to a person.
            sets[np.arange(len(raw)), raw.argmax(axis=1)] = True
        return Reading(at_temperature(raw, self.trust.temperature), sets)
