"""Tests which models differ by more than chance: paired tests on the same faces."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from scipy.special import bdtr

from fer_data.core.errors import UserError
from fer_data.core.schema import LABEL, PATH, PREDICTION
from fer_models.reporting.report_settings import SeedSpread
from fer_models.reporting.seed_spread import LEVEL, difference


@dataclass(frozen=True)
class Pair:
    """Two models on the same faces."""

    better: str
    """The model that is right more often; the first of them if both are right equally often."""
    worse: str
    only_better: int
    """Faces that the better one alone gets right."""
    only_worse: int
    """Faces that the worse one alone gets right."""
    points: float
    """By how many hundredths of all faces the better one is more accurate; at least 0."""
    p: float
    """How likely a difference like this is where there is none: McNemar's exact test over the faces,
    and with the spread of seeds, where it is known of both; the greater of the two."""
    p_adjusted: float
    """The same, corrected by Holm's method for the number of pairs; 0 to 1."""

    covers_seeds: bool
    """Whether p tells what other seeds would change, too, not the choice of faces alone."""

    @property
    def beyond_faces(self) -> bool:
        """Whether the choice of faces is ruled out at `LEVEL`, for all pairs together."""
        return self.p_adjusted <= LEVEL

    @property
    def beyond_chance(self) -> bool:
        """Whether the choice of faces and of seeds is ruled out."""
        return self.covers_seeds and self.beyond_faces


def mcnemar(only_first: int, only_second: int) -> float:
    """McNemar's exact test (1947): faces that both get right, or both wrong, tell nothing.

    Args:
        only_first: Faces that the first model alone gets right.
        only_second: Faces that the second model alone gets right.

    Returns:
        The two-sided p-value, 0 to 1: of a fair coin for each face that one alone gets right.
    """
    discordant = only_first + only_second
    # The coin is fair, so that both tails of the binomial distribution are alike.
    return min(1.0, 2 * float(bdtr(min(only_first, only_second), discordant, 0.5)))


def holm(p_values: list[float]) -> list[float]:
    """Corrects p-values for their number (Holm, 1979), in the order given; 0 to 1."""
    # The smallest p is multiplied by the number of tests m, the next by m - 1, and so on.
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(p_values), 0, -1)
    # None may fall below one before it, nor exceed 1.
    raised = np.minimum(np.maximum.accumulate(np.array(p_values)[order] * factors), 1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = raised
    return adjusted.tolist()


def paired_tests(
    predictions: Mapping[str, pd.DataFrame],
    *,
    seed_spread: Mapping[str, SeedSpread | None] | None = None,
) -> list[Pair]:
    """Tests each pair of models on the same faces.

    Args:
        predictions: By model, one row a face: `path`, `label` and `prediction`.
        seed_spread: By model, as far as it was measured.

    Returns:
        One item a pair, the models in the order given.

    Raises:
        UserError: The models were measured on different faces or labels.
    """
    first = next(iter(predictions))
    expected = predictions[first][[PATH, LABEL]].reset_index(drop=True)
    correct: dict[str, np.ndarray] = {}
    for name, rows in predictions.items():
        if not rows[[PATH, LABEL]].reset_index(drop=True).equals(expected):
            raise UserError(
                f"{name} was measured on other faces or labels than {first}: "
                "`dvc repro report` measures all models again"
            )
        correct[name] = (rows[LABEL] == rows[PREDICTION]).to_numpy()
    names = list(combinations(predictions, 2))
    only = [
        (int((correct[a] & ~correct[b]).sum()), int((correct[b] & ~correct[a]).sum()))
        for a, b in names
    ]
    known = seed_spread or {}
    with_seeds = [
        difference(correct[a], correct[b], (known.get(a), known.get(b))) for a, b in names
    ]
    p_values = [
        max(mcnemar(*counts), found.p if found.covers_seeds else 0)
        for counts, found in zip(only, with_seeds, strict=True)
    ]
    pairs: list[Pair] = []
    for (a, b), (only_a, only_b), p, p_adjusted, found in zip(
        names, only, p_values, holm(p_values), with_seeds, strict=True
    ):
        ends = (a, b, only_a, only_b) if only_a >= only_b else (b, a, only_b, only_a)
        points = 100 * abs(only_a - only_b) / len(expected)
        pairs.append(Pair(*ends, points, p, p_adjusted, found.covers_seeds))
    return pairs
