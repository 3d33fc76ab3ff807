"""Gives each face of the manifest its groups, a role and a fold: `assignments.parquet`.

Exact twins (equal pixels) form a group, and a group is never torn apart: neither by the folds nor by
`train`, `validation` and `test`. Training twins of Testing faces are excluded, since a network that
saw them would be tested on what it learned by heart. The folds keep near twins together too: a network
that saw one of them, with the same wrong label, would find nothing wrong with the other.
"""

import logging
import math

import numpy as np
import pandas as pd
from pydantic import Field
from sklearn.model_selection import StratifiedKFold, StratifiedShuffleSplit

from fer_data import stage
from fer_data.faces import read_faces
from fer_data.near_twins import near_groups
from fer_data.params import Settings, read_settings
from fer_data.schema import (
    DUPLICATE_GROUP,
    EXCLUDED,
    EXCLUSION,
    FOLD,
    LABEL,
    NEAR_GROUP,
    NO_FOLD,
    PATH,
    PIXEL_HASH,
    ROLE,
    SOURCE,
    TEST,
    TESTING,
    TRAIN,
    TWIN_IN_TESTING,
    VALIDATION,
)
from fer_data.tables import write_table

logger = logging.getLogger(__name__)


class SplitSettings(Settings):
    """Section `split`."""

    validation_fraction: float = Field(gt=0, le=0.5)
    """The part of Training that is kept for `validation`."""
    num_folds: int = Field(ge=2, le=20)
    """How many folds `crossval` has: as many as `dvc.yaml` lists."""
    exclude_leaks: bool
    """Whether Training twins of Testing faces are excluded; False is the paper's leaky protocol."""
    min_correlation: float = Field(gt=0.5, le=1)
    """Pearson's correlation of two faces' pixels, from which on they count as near twins."""
    seed: int = Field(ge=0)


def assign_roles(
    manifest: pd.DataFrame,
    near: np.ndarray,
    *,
    validation_fraction: float,
    num_folds: int,
    exclude_leaks: bool,
    seed: int,
) -> pd.DataFrame:
    """Assigns groups, roles and folds.

    Groups are stratified by the label of their first face. `test` is the whole Testing folder. Every
    Training face, excluded ones too, has a fold, so that each is scored once out of sample.

    Args:
        manifest: N faces with `path`, `source`, `label` and `pixel_hash`.
        near: int64 (N,), the near group of each face; exact twins are in the same one.
        validation_fraction: The part of the Training faces that becomes `validation`.
        num_folds: The number of folds.
        exclude_leaks: Whether Training twins of Testing faces are excluded. If not, such a group is
            torn between `train` and `test`, as in the paper.
        seed: Seed of the shuffles.

    Returns:
        N rows in the manifest's order: `path`, `pixel_hash`, `duplicate_group` (0-based, in order of
        appearance), `near_group`, `role`, `exclusion` (why, or empty) and `fold` (-1 for Testing).

    Raises:
        UserError: A class has too few groups for the folds or for `validation`.
    """
    assignments = manifest[[PATH, PIXEL_HASH]].copy()
    assignments[DUPLICATE_GROUP] = pd.factorize(manifest[PIXEL_HASH])[0]
    assignments[NEAR_GROUP] = near
    testing = manifest[SOURCE] == TESTING
    leaked = ~testing & manifest[PIXEL_HASH].isin(manifest.loc[testing, PIXEL_HASH])

    near_of_training = _labels_of(
        manifest[~testing].assign(**{NEAR_GROUP: near[~testing]}), NEAR_GROUP
    )
    _check_sizes(near_of_training, num_folds)
    fold_of_group = _stratified_parts(near_of_training, num_folds, seed)
    folds = assignments[NEAR_GROUP].map(fold_of_group)
    assignments[FOLD] = folds.where(~testing, NO_FOLD).astype(int)

    excluded = leaked if exclude_leaks else pd.Series(data=False, index=manifest.index)
    candidates = _labels_of(manifest[~testing & ~leaked], PIXEL_HASH)
    kept_for_validation = _stratified_sample(candidates, validation_fraction, seed)

    assignments[ROLE] = TRAIN
    assignments.loc[manifest[PIXEL_HASH].isin(kept_for_validation), ROLE] = VALIDATION
    assignments.loc[testing, ROLE] = TEST
    assignments.loc[excluded, ROLE] = EXCLUDED
    assignments[EXCLUSION] = np.where(excluded, TWIN_IN_TESTING, "")
    return assignments[[PATH, PIXEL_HASH, DUPLICATE_GROUP, NEAR_GROUP, ROLE, EXCLUSION, FOLD]]


def _labels_of(faces: pd.DataFrame, group: str) -> pd.Series:
    """The label of each group's first face, by the group: a column of `faces`."""
    return faces.drop_duplicates(group).set_index(group)[LABEL]


def _check_sizes(groups: pd.Series, num_parts: int) -> None:
    sizes = groups.value_counts()
    if sizes.min() < num_parts:
        raise stage.UserError(
            f"class '{sizes.idxmin()}' has {sizes.min()} different Training faces, fewer than the "
            f"{num_parts} parts to divide them into: lower `split.num_folds`, or add faces"
        )


def _stratified_parts(groups: pd.Series, num_parts: int, seed: int) -> pd.Series:
    """The part, 0 to `num_parts` - 1, of each group, with the classes spread evenly."""
    parts = pd.Series(-1, index=groups.index)
    folds = StratifiedKFold(num_parts, shuffle=True, random_state=seed)
    for part, (_, rows) in enumerate(folds.split(np.zeros(len(groups)), groups)):
        parts.iloc[rows] = part
    return parts


def _stratified_sample(groups: pd.Series, fraction: float, seed: int) -> pd.Index:
    """The pixel hashes of a sample of the groups, with the classes spread evenly.

    Raises:
        UserError: The sample, or what it leaves, would lack a class.
    """
    num_classes, num_sampled = groups.nunique(), math.ceil(fraction * len(groups))
    if num_sampled < num_classes or groups.value_counts().min() < 2:
        raise stage.UserError(
            f"`split.validation_fraction` ({fraction:g}) of {len(groups)} different Training faces "
            f"without a twin in Testing is {num_sampled}, too few to hold and to leave each of "
            f"{num_classes} classes: raise it, or add faces"
        )
    sampler = StratifiedShuffleSplit(1, test_size=fraction, random_state=seed)
    _, rows = next(sampler.split(np.zeros(len(groups)), groups))
    return groups.index[rows]


def main() -> None:
    """Reads the faces, writes `assignments.parquet`."""
    flags = stage.parse_flags(__doc__, "manifest", "pixels", "assignments")
    settings = read_settings(SplitSettings, "split")
    manifest, pixels = read_faces(flags.manifest, flags.pixels)
    near = near_groups(
        pixels,
        pd.factorize(manifest[PIXEL_HASH])[0],
        min_correlation=settings.min_correlation,
    )
    assignments = assign_roles(manifest, near, **settings.model_dump(exclude={"min_correlation"}))
    write_table(assignments, flags.assignments)
    counts = assignments[ROLE].value_counts()
    logger.info("split: %s -> %s", counts.to_dict(), flags.assignments)


if __name__ == "__main__":
    stage.run(main)
