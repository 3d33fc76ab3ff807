"""Draws `test` of an archive without a Testing folder: whole groups of duplicates, class by class."""

import logging
import math

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedShuffleSplit

from fer_data.core.errors import UserError
from fer_data.core.schema import (
    GIVEN_VALIDATION,
    LABEL,
    ORIGINAL_SPLIT,
    PIXEL_HASH,
    TESTING,
)
from fer_data.splitting.duplicates import near_groups

logger = logging.getLogger(__name__)


def draw_test(
    manifest: pd.DataFrame, pairs: np.ndarray, *, test_fraction: float, seed: int
) -> pd.DataFrame:
    """Gives an archive without a Testing folder Testing faces, and leaves any other as it is.

    They are whole near groups of Training faces alone, so that no face of Testing is known elsewhere.

    Args:
        manifest: N faces with `original_split`, `label` and `pixel_hash`.
        pairs: int64 (P, 2), rows of the manifest that are near-duplicates.
        test_fraction: The part of the groups that is drawn, stratified by the label of the first face.
        seed: Seed of the draw.

    Returns:
        The manifest, with the drawn faces of Testing; a warning says how many there are.

    Raises:
        UserError: There are too few groups to hold each class, and to leave each.
    """
    if (manifest[ORIGINAL_SPLIT] == TESTING).any():
        return manifest
    groups = pd.Series(
        near_groups(pairs, pd.factorize(manifest[PIXEL_HASH])[0]), index=manifest.index
    )
    labels = manifest[LABEL].groupby(groups).first()
    with_validation = groups[manifest[ORIGINAL_SPLIT] == GIVEN_VALIDATION]
    drawn = stratified_sample(
        labels[~labels.index.isin(with_validation)],
        test_fraction,
        seed=seed,
        of="`split.test_fraction`",
        groups="different Training faces",
    )
    is_drawn = groups.isin(drawn)
    logger.warning(
        "warning: the archive has no Testing folder: %d of %d faces were drawn as `test` "
        "(`split.test_fraction`: %g, `split.seed`: %d); other settings draw others, whose results do "
        "not compare",
        *(is_drawn.sum(), len(manifest), test_fraction, seed),
    )
    return manifest.assign(**{ORIGINAL_SPLIT: manifest[ORIGINAL_SPLIT].mask(is_drawn, TESTING)})


def stratified_sample(
    labels: pd.Series, fraction: float, *, seed: int, of: str, groups: str
) -> pd.Index:
    """Samples groups, with the classes spread evenly.

    Args:
        labels: The class of each group, by the group.
        fraction: Of the groups.
        seed: Seed of the sample.
        of: The setting of the fraction, for the message.
        groups: What the groups are, for the message.

    Returns:
        The sampled groups.

    Raises:
        UserError: The sample, or what it leaves, would lack a class.
    """
    num_classes, num_sampled = labels.nunique(), math.ceil(fraction * len(labels))
    if num_sampled < num_classes or labels.value_counts().min() < 2:
        raise UserError(
            f"{of} ({fraction:g}) of {len(labels)} {groups} is {num_sampled}, too few to hold and to "
            f"leave each of {num_classes} classes: raise it, or add faces"
        )
    sampler = StratifiedShuffleSplit(1, test_size=fraction, random_state=seed)
    _, rows = next(sampler.split(np.zeros(len(labels)), labels))
    return labels.index[rows]
