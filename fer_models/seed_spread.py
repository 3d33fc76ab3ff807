"""How much of a difference in accuracy another choice of faces, or another seed, would explain.

An interval over faces takes the two trainings as given. From seed to seed the same training differs by
as much or more, so a change is called one only if it exceeds both together.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t

from fer_models.report_settings import SeedSpread

LEVEL = 0.05
"""How often, at most, a difference that is called one is chance alone."""


@dataclass(frozen=True)
class Difference:
    """Of two trainings' accuracies on the same faces."""

    value: float
    """Second less first, a fraction."""
    low: float
    """The lower end of its 95 % interval."""
    high: float
    """The upper end."""
    p: float
    """How likely one as large is where there is none."""
    covers_seeds: bool
    """Whether interval and p tell what another seed would change, too, not the choice of faces alone."""


def difference(
    first: np.ndarray, second: np.ndarray, spreads: Sequence[SeedSpread | None]
) -> Difference:
    """Compares two trainings, face by face.

    The variances of the faces and of the seeds add up; that of the seeds is an estimate, so that the
    quantile is Student's (Welch, 1947; Satterthwaite, 1946).

    Args:
        first: bool (N,), whether the first one is right.
        second: bool (N,), whether the second one is right.
        spreads: Of the two models; the same one twice, if both are trainings of one recipe. If one is
            None, the interval is over the faces alone.
    """
    differences = second.astype(np.float64) - first
    value, faces = float(differences.mean()), float(differences.var() / len(differences))
    known = [
        (spread.accuracy, spread.degrees_of_freedom)
        for spread in spreads
        if spread is not None and spread.accuracy is not None
    ]
    covers_seeds = len(known) == len(spreads)
    variance, doubt = faces, 0.0
    if covers_seeds:
        for deviation, degrees in set(known):  # one estimate that counts twice is no two estimates
            of_seeds = known.count((deviation, degrees)) * deviation**2
            variance += of_seeds
            doubt += of_seeds**2 / degrees
    freedom = variance**2 / doubt if doubt else math.inf
    error = math.sqrt(variance)
    half = float(t.ppf(1 - LEVEL / 2, freedom)) * error
    # Without any error, as of faces that one of the two gets all right: no chance, or no difference.
    ratio = abs(value) / error if error else math.inf if value else 0.0
    p = float(2 * t.sf(ratio, freedom))
    return Difference(value, value - half, value + half, p, covers_seeds)
