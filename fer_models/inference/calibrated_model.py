"""Predicts with a trained model: calibrated probabilities and prediction sets of faces."""

import threading
from collections.abc import Callable, Sequence
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
    """The calibration that `evaluate` fitted on `validation`."""

    temperature: float = 1.0
    """What to divide the logarithms of probabilities by."""
    threshold: float | None = None
    """The probability, before the temperature, that an expression needs to be in the set."""
    coverage: float | None = None
    """How often a set holds the given label, 0 to 1, as was promised."""


@dataclass(frozen=True)
class CalibratedPredictions:
    """A model's predictions for N faces, of K expressions."""

    probabilities: np.ndarray
    """float32 (N, K), calibrated."""
    sets: np.ndarray | None
    """bool (N, K): which expressions are in each face's prediction set, the most probable one always;
    None where no threshold was fitted."""

    def ranked_set(self, number: int, expressions: tuple[str, ...]) -> tuple[str, ...]:
        """The prediction set of face `number`, 0 to N - 1, the most probable expression first.

        Args:
            number: The face.
            expressions: The K classes.

        Returns:
            Some of `expressions`; none where there are no sets.
        """
        if self.sets is None:
            return ()
        order = np.argsort(-self.probabilities[number], kind="stable")
        return tuple(expressions[column] for column in order if self.sets[number, column])


def prediction_in_words(ranked: Sequence[str], probability: float, *, num_expressions: int) -> str:
    """A prediction for people: `happy 62 %`, or with its set `happy 62 %, or surprise, neutral`.

    Args:
        ranked: The prediction set, the most probable expression first; at least one.
        probability: Of that expression, 0 to 1.
        num_expressions: K, of which the set may hold all.
    """
    first, *others = ranked
    best = f"{first} {100 * probability:.0f} %"
    if not others:
        return best
    return f"{best}, or {'any other' if len(ranked) == num_expressions else ', '.join(others)}"


class Model(Protocol):
    """What predicts: a `keras.Model`, or `formats.ExportedModel`."""

    @property
    def output_shape(self) -> Any:
        """(None, K)."""
        ...

    @property
    def predict_on_batch(self) -> Callable[[np.ndarray], np.ndarray]:
        """From uint8 faces (N, 48, 48, 1) to probabilities (N, K)."""
        ...


M = TypeVar("M", bound=Model)


class CalibratedModel(Generic[M]):
    """A loaded model, which threads may share.

    Attributes:
        model: The network.
        expressions: The K classes.
        trust: How its probabilities are calibrated.
        name: What answers call the model.
    """

    def __init__(
        self,
        model: M,
        expressions: tuple[str, ...],
        trust: Trust,
        *,
        called: str,
        name: str | None = None,
    ) -> None:
        """Keeps the model.

        Args:
            model: The network.
            expressions: The K classes.
            trust: How its probabilities are calibrated.
            called: What messages call the model: its file, or its bundle and name.
            name: What answers call it; by default the same.

        Raises:
            UserError: It has another number of classes.
        """
        if model.output_shape[-1] != len(expressions):
            raise UserError(
                f"{called} tells {model.output_shape[-1]} expressions apart, expected "
                f"{len(expressions)}: {', '.join(expressions)}"
            )
        self.model, self.expressions, self.trust = model, expressions, trust
        self._called, self.name = called, name or called
        self._turn = threading.Lock()

    def predict(self, faces: np.ndarray) -> CalibratedPredictions:
        """Predicts the expressions of N faces.

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
        # Sums are near 1 only: those of 8 bits are off. NaN is neither above 0 nor near 1.
        broken = ~((raw >= 0).all(axis=1) & (abs(raw.sum(axis=1) - 1) < _MOST_OFF))
        if broken.any():
            raise UserError(
                f"{self._called} gives what is no probability for {int(broken.sum())} of {len(raw)} "
                "faces (expected numbers from 0 that add up to 1): train or export it again"
            )
        sets = None
        if self.trust.threshold is not None:
            sets = prediction_sets(raw, self.trust.threshold)
            # An empty set keeps a promise made on average, and tells a person nothing.
            sets[np.arange(len(raw)), raw.argmax(axis=1)] = True
        return CalibratedPredictions(at_temperature(raw, self.trust.temperature), sets)
