"""Leaks between Training and Testing: finds them, and counts the faces they exclude."""

from typing import Final

import numpy as np
import pandas as pd

from fer_data.core.errors import UserError
from fer_data.core.schema import (
    DUPLICATE,
    EXCLUSION,
    EXCLUSIONS,
    GIVEN_VALIDATION,
    LABEL,
    LEAK,
    NEAR_DUPLICATE,
    NEAR_DUPLICATE_IN_TESTING,
    NEAR_DUPLICATE_IN_VALIDATION,
    ORIGINAL_SPLIT,
    SPLIT,
    TESTING,
    TRAIN,
    VALIDATION_EXCLUSIONS,
)

LEAK_FREE: Final = "leak-free: exact and near-duplicates of Testing faces excluded"
LEAKY: Final = "the paper's: duplicates of Testing faces are learned from"
FACES: Final = "faces"
_NEAR = (NEAR_DUPLICATE_IN_TESTING, NEAR_DUPLICATE_IN_VALIDATION)
NEAR_FRACTION: Final = "near_fraction"


def leaks_of(duplicate_groups: np.ndarray, pairs: np.ndarray, testing: np.ndarray) -> np.ndarray:
    """Finds what the other folder holds of each face: a duplicate, a near-duplicate or nothing.

    Args:
        duplicate_groups: int64 (N,), 0-based, equal for exact duplicates.
        pairs: int64 (P, 2), faces that are near-duplicates; exact duplicates share their pairs.
        testing: bool (N,), which faces are of Testing.

    Returns:
        object (N,): `duplicate`, `near-duplicate` where there is no exact one, or empty.
    """
    num_groups = int(duplicate_groups.max(initial=-1)) + 1
    in_folder = [
        np.bincount(duplicate_groups[of], minlength=num_groups) > 0 for of in (~testing, testing)
    ]
    either_way = duplicate_groups[np.concatenate([pairs, pairs[:, ::-1]])]
    leaks = np.full(len(testing), "", dtype=object)
    for of, others in ((testing, in_folder[0]), (~testing, in_folder[1])):
        near = np.zeros(num_groups, bool)
        near[either_way[others[either_way[:, 1]], 0]] = True
        leaks[of & near[duplicate_groups]] = NEAR_DUPLICATE
        leaks[of & others[duplicate_groups]] = DUPLICATE
    return leaks


def protocol_of(assignments: pd.DataFrame) -> str:
    """The protocol of an evaluation: `LEAK_FREE` or `LEAKY`.

    Args:
        assignments: `split` and `leak`, as the stage `split` writes them.
    """
    leaked = (assignments[SPLIT] == TRAIN) & (assignments[LEAK] != "")
    return LEAKY if leaked.any() else LEAK_FREE


def excluded_by_class(manifest: pd.DataFrame, assignments: pd.DataFrame) -> pd.DataFrame:
    """Counts the excluded Training faces by class and reason.

    Args:
        manifest: N faces with `original_split` and `label`.
        assignments: `exclusion` of the same faces, in the same order.

    Returns:
        A row a class, in alphabetical order: `faces` outside of Testing, a column for each reason
        (`VALIDATION_EXCLUSIONS` where the archive has a Validation folder), and `near_fraction`, the
        part of its faces that is excluded as near-duplicates.
    """
    has_validation = (manifest[ORIGINAL_SPLIT] == GIVEN_VALIDATION).any()
    training = (manifest[ORIGINAL_SPLIT] != TESTING).to_numpy()
    labels = manifest.loc[training, LABEL].astype(str)
    why = assignments.loc[training, EXCLUSION].to_numpy()
    table = pd.DataFrame({FACES: labels.value_counts().sort_index()})
    for reason in (*EXCLUSIONS, *(VALIDATION_EXCLUSIONS if has_validation else ())):
        counts = labels[why == reason].value_counts()
        table[reason] = counts.reindex(table.index, fill_value=0)
    table[NEAR_FRACTION] = (_near(table) / table[FACES]).round(4)
    return table


def _near(excluded: pd.DataFrame) -> pd.Series:
    """How many faces of each class are excluded as near-duplicates."""
    return excluded[[name for name in _NEAR if name in excluded]].sum(axis=1)


def check_excluded(excluded: pd.DataFrame, *, max_fraction: float) -> None:
    """Stops where near-duplicates would cost a class too many faces.

    Args:
        excluded: As `excluded_by_class` returns it.
        max_fraction: Of a class's Training faces.

    Raises:
        UserError: A class loses more; the message names each of them.
    """
    near = _near(excluded)
    part = near / excluded[FACES]
    above = excluded[part > max_fraction]
    if len(above):
        classes = ", ".join(
            f"{near[name]:.0f} of {row[FACES]:.0f} of '{name}' ({part[name]:.1%})"
            for name, row in above.iterrows()
        )
        folders = "Testing or Validation" if NEAR_DUPLICATE_IN_VALIDATION in excluded else "Testing"
        raise UserError(
            f"near-duplicates of {folders} faces would be excluded from Training: {classes}, more than "
            f"`split.max_excluded_fraction` ({max_fraction:g}) allows: raise it if that is right, or "
            "raise `split.min_correlation`, from which on two faces count as near-duplicates"
        )
