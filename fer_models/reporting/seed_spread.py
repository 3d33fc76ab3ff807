"""Estimates how much of a difference in accuracy other faces, or another seed, would explain.

An interval over faces takes the two trainings as given. From seed to seed the same training differs by
as much or more, so a change is called one only if it exceeds both together.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import ndtri, stdtr, stdtrit  # `scipy.stats` takes a second to import

from fer_data.core.schema import LABEL, PREDICTION
from fer_models.reporting.outcomes import Outcomes, right_on
from fer_models.reporting.report_settings import SeedSpread

LEVEL = 0.05
"""How often, at most, a difference that is called one is chance alone."""


@dataclass(frozen=True)
class Difference:
    """The difference of two trainings' accuracies on the same faces."""

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
        spreads: Of the two models; the same one twice, if both have the same settings. If one is None,
            the interval is over the faces alone.
    """
    differences = second.astype(np.float64) - first
    faces = float(differences.var() / len(differences))
    return _with_seeds(float(differences.mean()), faces, spreads)


def difference_from_kept(
    kept: Outcomes | None, predictions: pd.DataFrame, spread: SeedSpread | None
) -> Difference | None:
    """Compares a training with an earlier one of the same settings, face by face.

    Args:
        kept: Which faces the earlier one predicted rightly; None if that was not stored.
        predictions: Of the later one, a row a face: `path`, `label` and `prediction`.
        spread: Of both.

    Returns:
        The later accuracy less the earlier one; None where these are other faces, or have other labels.
    """
    before = None if kept is None else right_on(kept, predictions)
    if before is None or not len(predictions):
        return None
    now = (predictions[LABEL] == predictions[PREDICTION]).to_numpy(bool)
    return difference(before, now, (spread, spread))


def difference_of_intervals(
    first: tuple[float, float, float],
    second: tuple[float, float, float],
    spreads: Sequence[SeedSpread | None],
) -> Difference:
    """Compares two trainings' accuracies where they cannot be paired, as if of other faces each.

    On the same faces the interval is too wide, since what is hard for one is hard for the other.

    Args:
        first: An accuracy, and the ends of its 95 % interval over faces.
        second: The other one, likewise.
        spreads: As `difference` takes them.
    """
    ends = ndtri(1 - LEVEL / 2) - ndtri(LEVEL / 2)  # of an interval, in standard deviations
    faces = sum(float((high - low) / ends) ** 2 for _, low, high in (first, second))
    return _with_seeds(second[0] - first[0], faces, spreads)


def _with_seeds(value: float, faces: float, spreads: Sequence[SeedSpread | None]) -> Difference:
    """A difference whose variance over faces is known, with the variance of the seeds added."""
    known = [
        (spread.accuracy, spread.degrees_of_freedom)
        for spread in spreads
        if spread is not None and spread.accuracy is not None
    ]
    covers_seeds = len(known) == len(spreads)
    variance, over_degrees = faces, 0.0
    if covers_seeds:
        # Welch and Satterthwaite: the error of each estimated variance, by its degrees of freedom.
        for deviation, degrees in set(known):  # one estimate that counts twice is no two estimates
            of_seeds = known.count((deviation, degrees)) * deviation**2
            variance += of_seeds
            over_degrees += of_seeds**2 / degrees
    freedom = variance**2 / over_degrees if over_degrees else math.inf
    error = math.sqrt(variance)
    # Half the interval: Student's quantile; the normal one where no variance is estimated.
    half = float(stdtrit(freedom, 1 - LEVEL / 2)) * error
    # Without any error, as of faces that one of the two gets all right: no chance, or no difference.
    ratio = abs(value) / error if error else math.inf if value else 0.0
    p = float(2 * stdtr(freedom, -ratio))
    return Difference(value, value - half, value + half, p, covers_seeds)
