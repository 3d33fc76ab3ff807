"""Assigns each face a duplicate group, a split and a fold: `assignments.parquet`.

Near-duplicates, and near-duplicates of those, form a group, exact ones first of all. A group is torn
apart neither by the folds nor by `train` and `validation`: a network that saw one of these faces, with
the same wrong label, would find nothing wrong with the other. Training faces that a Testing face
duplicates, exactly or nearly, are excluded, since a network that saw them would be tested on what it
learned by heart.
"""

import logging
import math

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedKFold, StratifiedShuffleSplit

from fer_data.core.errors import UserError
from fer_data.core.face_store import read_faces
from fer_data.core.schema import (
    DUPLICATE,
    DUPLICATE_GROUP,
    DUPLICATE_IN_TESTING,
    EXCLUDED,
    EXCLUSION,
    FOLD,
    LABEL,
    LEAK,
    NEAR_DUPLICATE,
    NEAR_DUPLICATE_IN_TESTING,
    NEAR_GROUP,
    NO_FOLD,
    ORIGINAL_SPLIT,
    PATH,
    PIXEL_HASH,
    SPLIT,
    TEST,
    TESTING,
    TRAIN,
    VALIDATION,
)
from fer_data.core.tables import write_table
from fer_data.splitting.duplicates import near_groups, near_pairs
from fer_data.splitting.leaks import LEAK_FREE, LEAKY, check_excluded, excluded_by_class, leaks_of
from fer_data.splitting.split_settings import SplitSettings
from fer_data.stages import stage
from fer_data.stages.settings import read_settings

logger = logging.getLogger(__name__)

_REASONS = {DUPLICATE: DUPLICATE_IN_TESTING, NEAR_DUPLICATE: NEAR_DUPLICATE_IN_TESTING}


def assign_splits(
    manifest: pd.DataFrame,
    pairs: np.ndarray,
    *,
    validation_fraction: float,
    num_folds: int,
    exclude_leaks: bool,
    seed: int,
) -> pd.DataFrame:
    """Assigns groups, splits and folds.

    Groups are stratified by the label of their first face. `test` is the whole Testing folder;
    `validation` is drawn from the near groups without a Testing face, whatever the protocol. Every
    Training face, excluded ones too, has a fold, so that each is scored once out of sample.

    Args:
        manifest: N faces with `path`, `original_split`, `label` and `pixel_hash`.
        pairs: int64 (P, 2), rows of the manifest that are near-duplicates, as `near_pairs` returns
            them.
        validation_fraction: The part of the groups that becomes `validation`.
        num_folds: The number of folds.
        exclude_leaks: Whether Training faces that a Testing face duplicates are excluded. If not, such
            a group is torn between `train` and `test`, as in the paper.
        seed: Seed of the shuffles.

    Returns:
        N rows in the manifest's order: `path`, `pixel_hash`, `duplicate_group` (0-based, in order of
        appearance), `near_group`, `split`, `exclusion` (why, or empty), `fold` (-1 for Testing) and
        `leak` (what the other folder holds of the face itself, or empty).

    Raises:
        UserError: A class has too few groups for the folds or for `validation`.
    """
    assignments = manifest[[PATH, PIXEL_HASH]].copy()
    duplicates = pd.factorize(manifest[PIXEL_HASH])[0]
    assignments[DUPLICATE_GROUP] = duplicates
    assignments[NEAR_GROUP] = near_groups(pairs, duplicates)
    testing = manifest[ORIGINAL_SPLIT] == TESTING
    assignments[LEAK] = leaks_of(duplicates, pairs, testing.to_numpy())

    grouped = manifest.assign(**{NEAR_GROUP: assignments[NEAR_GROUP]})
    labels = grouped[~testing].drop_duplicates(NEAR_GROUP).set_index(NEAR_GROUP)[LABEL]
    _check_sizes(labels, num_folds)
    folds = assignments[NEAR_GROUP].map(_stratified_parts(labels, num_folds, seed))
    assignments[FOLD] = folds.where(~testing, NO_FOLD).astype(int)

    candidates = labels[~labels.index.isin(grouped.loc[testing, NEAR_GROUP])]
    kept_for_validation = _stratified_sample(candidates, validation_fraction, seed)
    excluded = ~testing & (assignments[LEAK] != "") & exclude_leaks
    assignments[SPLIT] = TRAIN
    assignments.loc[assignments[NEAR_GROUP].isin(kept_for_validation), SPLIT] = VALIDATION
    assignments.loc[testing, SPLIT] = TEST
    assignments.loc[excluded, SPLIT] = EXCLUDED
    assignments[EXCLUSION] = assignments[LEAK].map(_REASONS).where(excluded, "")
    return assignments[
        [PATH, PIXEL_HASH, DUPLICATE_GROUP, NEAR_GROUP, SPLIT, EXCLUSION, FOLD, LEAK]
    ]


def _check_sizes(groups: pd.Series, num_parts: int) -> None:
    sizes = groups.value_counts()
    if sizes.min() < num_parts:
        raise UserError(
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
    """A sample of the groups, with the classes spread evenly.

    Raises:
        UserError: The sample, or what it leaves, would lack a class.
    """
    num_classes, num_sampled = groups.nunique(), math.ceil(fraction * len(groups))
    if num_sampled < num_classes or groups.value_counts().min() < 2:
        raise UserError(
            f"`split.validation_fraction` ({fraction:g}) of {len(groups)} different Training faces "
            f"without a duplicate in Testing is {num_sampled}, too few to hold and to leave each of "
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
    duplicates = pd.factorize(manifest[PIXEL_HASH])[0]
    pairs = near_pairs(pixels, duplicates, min_correlation=settings.min_correlation)
    assignments = assign_splits(
        manifest,
        pairs,
        **settings.model_dump(exclude={"min_correlation", "max_excluded_fraction"}),
    )
    excluded = excluded_by_class(manifest, assignments)
    logger.info("excluded from Training, by class:\n%s", excluded.to_string())
    check_excluded(excluded, max_fraction=settings.max_excluded_fraction)
    write_table(assignments, flags.assignments)
    counts = assignments[SPLIT].value_counts()
    logger.info(
        "split: %s; %s -> %s",
        counts.to_dict(),
        LEAK_FREE if settings.exclude_leaks else LEAKY,
        flags.assignments,
    )


if __name__ == "__main__":
    stage.run(main)
