"""Ranks the Training faces by label quality, and scores the labels of Testing faces."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd

from fer_data.core.errors import UserError
from fer_data.core.face_store import read_faces
from fer_data.core.schema import (
    FOLD,
    ISSUE_TYPE,
    LABEL,
    LABEL_QUALITY,
    NEAR_GROUP,
    NO_FOLD,
    NON_FACE,
    ORIGINAL_SPLIT,
    PATH,
    PIXEL_HASH,
    PROBABILITIES,
    RANK,
    SUGGESTED_LABEL,
    TESTING,
)
from fer_data.core.tables import original_splits, probabilities_of, read_table, write_table
from fer_data.label_quality.heldout_scores import heldout_label_quality
from fer_data.label_quality.mislabels_settings import MislabelsSettings
from fer_data.label_quality.outliers import outlier_scores
from fer_data.label_quality.scores import (
    issue_types_of,
    label_quality_scores,
    suggestions,
    with_duplicates,
)
from fer_data.stages import stage
from fer_data.stages.settings import DataSettings, read_settings

logger = logging.getLogger(__name__)

_COLUMNS = (PATH, PIXEL_HASH, ORIGINAL_SPLIT, PROBABILITIES)  # of the folds; people see the others


def rank_labels(
    faces: pd.DataFrame,
    probabilities: np.ndarray,
    outlier_score: np.ndarray,
    *,
    expressions: tuple[str, ...],
    settings: MislabelsSettings,
) -> pd.DataFrame:
    """Ranks the faces by label quality.

    Args:
        faces: N faces with `path`, `pixel_hash`, `near_group` and `label`.
        probabilities: float32 (N, K), out of sample, in the same order.
        outlier_score: float (N,), see `outliers.outlier_scores`.
        expressions: The K classes, in the order of the columns.
        settings: How the evidence is weighed.

    Returns:
        N rows, lowest label quality first: `path`, `pixel_hash`, `label`, `suggested_label` (the most
        probable other class), `label_quality` (0 to 1, low is bad), `rank` (from 1), `issue_type`
        and `probabilities`, as they came.
    """
    label_numbers = {expression: number for number, expression in enumerate(expressions)}
    labels = faces[LABEL].map(label_numbers).to_numpy(np.int64)
    evidence = with_duplicates(
        probabilities,
        labels,
        faces=faces[PIXEL_HASH].to_numpy(object),
        groups=faces[NEAR_GROUP].to_numpy(),
        reliability=settings.duplicate_reliability,
    )
    no_face = outlier_score >= settings.min_outlier_score
    quality = label_quality_scores(labels, evidence, method=settings.method)
    # The label of what is no face is wrong whatever it says; the higher the outlier score, the surer.
    quality = np.where(no_face, np.minimum(quality, np.maximum(outlier_score, 1) ** -2.0), quality)
    ranked = faces[[PATH, PIXEL_HASH, LABEL]].assign(
        **{
            SUGGESTED_LABEL: np.array(expressions, dtype=object)[suggestions(labels, evidence)],
            LABEL_QUALITY: quality,
            ISSUE_TYPE: issue_types_of(labels, evidence, no_face, clear_ratio=settings.clear_ratio),
            PROBABILITIES: list(probabilities.astype(np.float32)),
        }
    )
    ranked = ranked.sort_values([LABEL_QUALITY, PATH], ignore_index=True)
    ranked[RANK] = np.arange(1, len(ranked) + 1)
    columns = [
        PATH,
        PIXEL_HASH,
        LABEL,
        SUGGESTED_LABEL,
        LABEL_QUALITY,
        RANK,
        ISSUE_TYPE,
        PROBABILITIES,
    ]
    return ranked[columns]


def out_of_sample(folds: list[pd.DataFrame]) -> pd.DataFrame:
    """The scored Training faces of all folds, each exactly once.

    Raises:
        UserError: A face was scored by more than one fold.
    """
    scored = pd.concat(folds, ignore_index=True)
    scored = scored[scored[ORIGINAL_SPLIT] != TESTING]
    twice = scored[scored[PATH].duplicated()]
    if len(twice):
        raise UserError(
            f"{len(twice)} faces are scored by more than one fold, such as {twice[PATH].iloc[0]}: "
            "`dvc repro` scores them again"
        )
    return scored


def fold_files(folder: Path, folds: pd.Series) -> list[Path]:
    """The scores of the folds that there are; those that an earlier `num_folds` left are passed over.

    Args:
        folder: What holds `fold-K.parquet` for each fold.
        folds: The fold of each face, `schema.NO_FOLD` for those that are in none.

    Raises:
        UserError: The scores of a fold are missing.
    """
    files = [folder / f"fold-{fold}.parquet" for fold in sorted(set(folds) - {NO_FOLD})]
    for file in files:
        if not file.is_file():
            raise UserError(
                f"{file} is missing: `dvc repro` makes it, if `crossval` in dvc.yaml lists the folds "
                "that `split.num_folds` says"
            )
    for left in sorted(set(folder.glob("fold-*.parquet")) - set(files)):
        logger.warning("warning: %s is of no fold any more: passed over; it can be deleted", left)
    return files


def main() -> None:
    """Reads the scores of all folds; writes the ranking, and Testing's scores."""
    flags = stage.parse_flags(
        __doc__,
        *("manifest", "pixels", "assignments", "crossval", "label_quality", "testing_quality"),
    )
    settings = read_settings(MislabelsSettings, "mislabels")
    expressions = read_settings(DataSettings, "data").expressions
    assignments = read_table(flags.assignments)
    folds = [
        read_table(file, columns=_COLUMNS, expressions=expressions)
        for file in fold_files(flags.crossval, assignments[FOLD])
    ]
    scored = out_of_sample(folds)
    manifest, pixels = read_faces(flags.manifest, flags.pixels)
    of_testing = heldout_label_quality(
        *(pd.concat(folds), manifest), expressions=expressions, method=settings.method
    )
    del folds  # the most of what is in memory
    training = manifest[[PATH, LABEL]].assign(row=np.arange(len(manifest)))
    training = training[original_splits(manifest, assignments) != TESTING]
    faces = training.merge(scored, on=PATH).merge(assignments[[PATH, NEAR_GROUP]], on=PATH)
    if len(faces) < len(training):
        raise UserError(
            f"{flags.crossval} scores {len(faces)} of {len(training)} Training faces: the folds "
            "that `crossval` lists in dvc.yaml and `split.num_folds` must agree"
        )
    ranked = rank_labels(
        faces,
        probabilities_of(faces),
        outlier_scores(pixels, faces["row"].to_numpy()),
        expressions=expressions,
        settings=settings,
    )
    write_table(ranked, flags.label_quality, expressions=expressions)
    write_table(of_testing, flags.testing_quality)
    logger.info(
        "mislabels: %d faces ranked (%d of no face) -> %s",
        *(len(ranked), (ranked[ISSUE_TYPE] == NON_FACE).sum(), flags.label_quality),
    )


if __name__ == "__main__":
    stage.run(main)
