"""Compares two archives by their manifests: added, removed and relabeled faces, and drift."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
from scipy.stats import ks_2samp

from fer_data.core.errors import UserError
from fer_data.core.schema import (
    LABEL,
    MANIFEST_COLUMNS,
    MEAN,
    ORIGINAL_SPLIT,
    ORIGINAL_SPLITS,
    PIXEL_HASH,
    STD,
    TESTING,
)
from fer_data.core.tables import read_table
from fer_data.validation.baseline import class_folders
from fer_data.validation.derived_columns import drift

OLD = "old"
NEW = "new"


@dataclass(frozen=True)
class Drift:
    """The drift of a metric over the faces of a folder."""

    original_split: str
    """The folder: `training` or `testing`."""
    metric: str
    """`brightness`, a face's mean, or `contrast`, its standard deviation."""
    difference: float
    """Of the means, new less old, in standard deviations of the old faces."""
    distance: float
    """The two-sample Kolmogorov-Smirnov statistic, 0 to 1: the largest distance between the two
    distribution functions."""


@dataclass(frozen=True)
class Comparison:
    """The changes from an old archive to a new one. Exact duplicates count as one face."""

    faces: dict[str, int]
    """How many faces were added, removed, relabeled and moved between folders."""
    groups: pd.DataFrame
    """`old` and `new` numbers of files, of groups of duplicates, of conflicting and of leaked ones."""
    counts: pd.DataFrame
    """`old` and `new` numbers of files of each class and folder: `training/angry`."""
    drifts: list[Drift]
    """Of the folders that both archives have."""

    def problems(self, *, max_drift: float) -> str:
        """Lists why the new archive should not take the old one's place; empty if it may.

        Args:
            max_drift: The difference that is no surprise, in standard deviations.
        """
        gone = self.counts.index[(self.counts[OLD] > 0) & (self.counts[NEW] == 0)]
        found = [f"{name} has no face any more" for name in gone]
        found += [
            f"{one.metric} of {one.original_split} drifted by {one.difference:+.2f} standard deviations"
            for one in self.drifts
            if abs(one.difference) > max_drift
        ]
        return "; ".join(found)


def compare(old: pd.DataFrame, new: pd.DataFrame) -> Comparison:
    """Compares two archives.

    Args:
        old: The manifest of the one: see `schema.MANIFEST_COLUMNS`.
        new: The manifest of the other.
    """
    labels, folders = (_sets(old, new, column) for column in (LABEL, ORIGINAL_SPLIT))
    both = labels[OLD].notna() & labels[NEW].notna()
    return Comparison(
        faces={
            "added": int(labels[OLD].isna().sum()),
            "removed": int(labels[NEW].isna().sum()),
            "relabeled": int((labels[OLD] != labels[NEW])[both].sum()),
            "moved between folders": int((folders[OLD] != folders[NEW])[both].sum()),
        },
        groups=pd.DataFrame({OLD: _groups(old), NEW: _groups(new)}),
        counts=_counts(old, new),
        drifts=[
            _drift(
                old.loc[old[ORIGINAL_SPLIT] == folder],
                new.loc[new[ORIGINAL_SPLIT] == folder],
                folder,
                metric,
            )
            for folder in ORIGINAL_SPLITS
            if (old[ORIGINAL_SPLIT] == folder).any() and (new[ORIGINAL_SPLIT] == folder).any()
            for metric in _COLUMNS
        ],
    )


def read_manifest(file: Path) -> pd.DataFrame:
    """Reads the manifest of an archive, one of an earlier version too.

    Raises:
        UserError: It is missing, not Parquet, empty, or no manifest.
    """
    try:
        manifest = read_table(file)
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{file} is not a Parquet file: {' '.join(str(error).split())}") from None
    manifest = manifest.rename(columns=_EARLIER_COLUMNS)
    lacking = [name for name in MANIFEST_COLUMNS if name not in manifest.columns]
    if lacking:
        raise UserError(f"{file} is no manifest: it lacks the columns {', '.join(lacking)}")
    if manifest.empty:
        raise UserError(f"{file} holds no face")
    return manifest


_EARLIER_COLUMNS = {"source": ORIGINAL_SPLIT}
"""Names of columns in manifests that were written before, and their names now."""
_COLUMNS = {"brightness": MEAN, "contrast": STD}


def _sets(old: pd.DataFrame, new: pd.DataFrame, column: str) -> pd.DataFrame:
    """For each face of either archive, the values of its duplicates, as text; NaN where it is not."""
    joined: dict[str, pd.Series] = {}
    for name, faces in ((OLD, old), (NEW, new)):
        pairs = faces[[PIXEL_HASH, column]].drop_duplicates().sort_values(column)
        joined[name] = pairs.groupby(PIXEL_HASH)[column].agg(" ".join)
    return pd.DataFrame(joined)


def _groups(manifest: pd.DataFrame) -> dict[str, int]:
    duplicates = manifest.groupby(PIXEL_HASH)
    return {
        "files": len(manifest),
        "different faces": duplicates.ngroups,
        "groups of duplicates": int((duplicates.size() > 1).sum()),
        "with conflicting labels": int(duplicates[LABEL].nunique().gt(1).sum()),
        "in Training and Testing": int(duplicates[ORIGINAL_SPLIT].nunique().gt(1).sum()),
    }


def _counts(old: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    before, after = (class_folders(manifest).value_counts() for manifest in (old, new))
    # Training first, as people read archives.
    names = sorted({*before.index, *after.index}, key=lambda name: (name.startswith(TESTING), name))
    return pd.DataFrame({OLD: before, NEW: after}).reindex(names).fillna(0).astype(int)


def _drift(old: pd.DataFrame, new: pd.DataFrame, original_split: str, metric: str) -> Drift:
    column = _COLUMNS[metric]
    before, after = old[column].to_numpy(), new[column].to_numpy()
    distance = float(ks_2samp(before, after, method="asymp").statistic)
    return Drift(original_split, metric, drift(old[column], new[column]), distance)
