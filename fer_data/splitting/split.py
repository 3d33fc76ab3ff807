"""Assigns each face a duplicate group, a split and a fold: `assignments.parquet`.

Near-duplicates, and near-duplicates of those, form a group, exact ones first of all. A group is torn
apart neither by the folds nor by `train` and `validation`: a network that saw one of these faces, with
the same wrong label, would find nothing wrong with the other. Training faces that a Testing face
duplicates, exactly or nearly, are excluded, since a network that saw them would be tested on what it
learned by heart.
"""

import logging

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedKFold

from fer_data.core.errors import UserError
from fer_data.core.face_store import read_faces
from fer_data.core.schema import (
    DUPLICATE,
    DUPLICATE_GROUP,
    DUPLICATE_IN_TESTING,
    DUPLICATE_IN_VALIDATION,
    EXCLUDED,
    EXCLUSION,
    FOLD,
    GIVEN_VALIDATION,
    LABEL,
    LEAK,
    NEAR_DUPLICATE,
    NEAR_DUPLICATE_IN_TESTING,
    NEAR_DUPLICATE_IN_VALIDATION,
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
from fer_data.splitting.drawn_test import draw_test, stratified_sample
from fer_data.splitting.duplicates import near_groups, near_pairs
from fer_data.splitting.leaks import LEAK_FREE, LEAKY, check_excluded, excluded_by_class, leaks_of
from fer_data.splitting.split_settings import SplitSettings
from fer_data.stages import stage
from fer_data.stages.settings import read_settings

logger = logging.getLogger(__name__)

_IN_TESTING = {DUPLICATE: DUPLICATE_IN_TESTING, NEAR_DUPLICATE: NEAR_DUPLICATE_IN_TESTING}
_IN_VALIDATION = {DUPLICATE: DUPLICATE_IN_VALIDATION, NEAR_DUPLICATE: NEAR_DUPLICATE_IN_VALIDATION}


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
    `validation` is the whole Validation folder, or where there is none, drawn from the near groups
    without a Testing face, whatever the protocol. Every face that is not of Testing, excluded ones too,
    has a fold, so that each is scored once out of sample.

    Args:
        manifest: N faces with `path`, `original_split`, `label` and `pixel_hash`, some of them of
            Testing (`draw_test`).
        pairs: int64 (P, 2), rows of the manifest that are near-duplicates, as `near_pairs` returns
            them.
        validation_fraction: The part of the groups that becomes `validation`, without a folder of it.
        num_folds: The number of folds.
        exclude_leaks: Whether other faces that a Testing face duplicates are excluded. If not, such a
            group is torn between `train` and `test`, as in the paper. Training faces that a face of the
            Validation folder duplicates are excluded in any case.
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

    given = manifest[ORIGINAL_SPLIT] == GIVEN_VALIDATION
    if given.any():
        validation = given
    else:
        candidates = labels[~labels.index.isin(grouped.loc[testing, NEAR_GROUP])]
        drawn = stratified_sample(
            candidates,
            validation_fraction,
            seed=seed,
            of="`split.validation_fraction`",
            groups="different Training faces without a duplicate in Testing",
        )
        validation = assignments[NEAR_GROUP].isin(drawn)
    of_validation = pd.Series(leaks_of(duplicates, pairs, given.to_numpy()), index=manifest.index)
    # A Testing face is never excluded; one of the Validation folder only as a duplicate of Testing.
    in_testing = assignments[LEAK].map(_IN_TESTING).where(~testing & exclude_leaks)
    in_validation = of_validation.map(_IN_VALIDATION).where(~testing & ~given)
    exclusion = in_testing.fillna(in_validation).fillna("")
    assignments[SPLIT] = TRAIN
    assignments.loc[validation, SPLIT] = VALIDATION
    assignments.loc[testing, SPLIT] = TEST
    assignments.loc[exclusion != "", SPLIT] = EXCLUDED
    assignments[EXCLUSION] = exclusion
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


def main() -> None:
    """Reads the faces, writes `assignments.parquet`."""
    flags = stage.parse_flags(__doc__, "manifest", "pixels", "assignments")
    settings = read_settings(SplitSettings, "split")
    manifest, pixels = read_faces(flags.manifest, flags.pixels)
    duplicates = pd.factorize(manifest[PIXEL_HASH])[0]
    pairs = near_pairs(pixels, duplicates, min_correlation=settings.min_correlation)
    manifest = draw_test(manifest, pairs, test_fraction=settings.test_fraction, seed=settings.seed)
    assignments = assign_splits(
        manifest,
        pairs,
        **settings.model_dump(
            include={"validation_fraction", "num_folds", "exclude_leaks", "seed"}
        ),
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
