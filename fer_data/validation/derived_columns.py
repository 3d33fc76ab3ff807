"""Derived columns: what the expectations check, computed from the manifest alone."""

import numpy as np
import pandas as pd

from fer_data.core.schema import (
    FORMAT,
    LABEL,
    MEAN,
    ORIGINAL_SPLIT,
    ORIGINAL_SPLITS,
    PIXEL_HASH,
    STD,
    TESTING,
    TRAINING,
)
from fer_data.validation.baseline import Baseline, class_folders

CLASS_FOLDER = "class_folder"
CLASS_FOLDER_SIZE = "class_folder_size"
NUM_DUPLICATE_SPLITS = "num_duplicate_splits"
NUM_DUPLICATE_LABELS = "num_duplicate_labels"
USUAL_FORMAT = "usual_format"
TWO_TONE = "two_tone"
BRIGHTNESS_DRIFT = "brightness_drift"
CONTRAST_DRIFT = "contrast_drift"
COUNT_CHANGE = "count_change"
BRIGHTNESS_CHANGE = "brightness_change"
CONTRAST_CHANGE = "contrast_change"


def with_facts(manifest: pd.DataFrame, *, baseline: Baseline | None = None) -> pd.DataFrame:
    """Adds the derived columns that the expectations check.

    Args:
        manifest: N faces, see `schema.MANIFEST_COLUMNS`.
        baseline: What the archive was like when a person accepted it, if anybody did.

    Returns:
        The manifest with the face's class and folder (`training/angry`), the number of faces there,
        the numbers of folders and of labels among its exact duplicates (itself included), the format of
        most images, how near to black and white alone the face is (see `two_tone`), and, the same
        in each row, the drift of brightness and contrast from Training to Testing.

        With a baseline, also the drift since then, the larger one of the two folders', and the change
        of each class's count in each folder, as a part of the accepted one: on the first face there,
        NaN on the others, so that the result names a face for a folder and not a thousand.
    """
    duplicates = manifest.groupby(PIXEL_HASH)
    folders = class_folders(manifest)
    sizes = folders.value_counts()
    training, testing = (
        manifest[manifest[ORIGINAL_SPLIT] == folder] for folder in (TRAINING, TESTING)
    )
    facts: dict[str, object] = {
        CLASS_FOLDER: folders,
        CLASS_FOLDER_SIZE: folders.map(sizes),
        NUM_DUPLICATE_SPLITS: duplicates[ORIGINAL_SPLIT].transform("nunique"),
        NUM_DUPLICATE_LABELS: duplicates[LABEL].transform("nunique"),
        USUAL_FORMAT: manifest[FORMAT].mode().iloc[0],
        TWO_TONE: two_tone(manifest),
        BRIGHTNESS_DRIFT: abs(drift(training[MEAN], testing[MEAN])),
        CONTRAST_DRIFT: abs(drift(training[STD], testing[STD])),
    }
    if baseline is not None:
        accepted = folders.map(baseline.counts)
        change = (folders.map(sizes) / accepted - 1).abs().fillna(np.inf)
        facts[COUNT_CHANGE] = change.where(~folders.duplicated())
        facts[BRIGHTNESS_CHANGE] = _change(manifest, MEAN, baseline)
        facts[CONTRAST_CHANGE] = _change(manifest, STD, baseline)
    return manifest.assign(**facts)


def original_splits_of(manifest: pd.DataFrame) -> tuple[str, ...]:
    """The folders that an archive has, Training among them."""
    present = {TRAINING, *manifest[ORIGINAL_SPLIT]}
    return tuple(one for one in ORIGINAL_SPLITS if one in present)


def two_tone(manifest: pd.DataFrame) -> pd.Series:
    """Measures how near each image is to pure black and white: 0 to 1.

    A variance is at most (255 - mean) * (mean - 0), which black and white pixels alone reach (Bhatia
    and Davis, A Better Bound on the Variance, 2000); this is the standard deviation over that bound.
    """
    bound = np.sqrt(manifest[MEAN] * (255 - manifest[MEAN]))
    return (manifest[STD] / bound.where(bound > 0)).fillna(0)


def drift(reference: pd.Series, values: pd.Series) -> float:
    """The difference of two means, in standard deviations of the reference."""
    return float((values.mean() - reference.mean()) / max(reference.std(), 1e-9))


def _change(manifest: pd.DataFrame, column: str, baseline: Baseline) -> float:
    """The largest drift of a column since the baseline, of the folders that both have."""
    means = manifest.groupby(ORIGINAL_SPLIT)[column].mean()
    drifts = [
        abs(means[folder] - accepted.mean) / max(accepted.std, 1e-9)
        for folder in ORIGINAL_SPLITS
        if folder in means.index and (accepted := baseline.spread(folder, column)) is not None
    ]
    return max(drifts, default=0.0)
