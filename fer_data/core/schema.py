"""Names of columns, folders, splits and expressions, and the size of a face."""

from typing import Final

FACE_SIZE: Final = 48
"""Height and width of a face, in pixels."""

# Columns of the manifest, one row a face, sorted by path.
PATH: Final = "path"
ORIGINAL_SPLIT: Final = "original_split"
LABEL: Final = "label"
PIXEL_HASH: Final = "pixel_hash"
WIDTH: Final = "width"
HEIGHT: Final = "height"
MODE: Final = "mode"
FORMAT: Final = "format"
MEAN: Final = "mean"
STD: Final = "std"
MANIFEST_COLUMNS: Final = (
    PATH,
    ORIGINAL_SPLIT,
    LABEL,
    PIXEL_HASH,
    WIDTH,
    HEIGHT,
    MODE,
    FORMAT,
    MEAN,
    STD,
)

# Columns of rejected.csv, one row a refused member of the archive.
REASON: Final = "reason"

# Columns of assignments.parquet, one row a face, in the manifest's order.
DUPLICATE_GROUP: Final = "duplicate_group"
NEAR_GROUP: Final = "near_group"
"""Equal for near-duplicates too: mirrored, recompressed or slightly shifted copies."""
SPLIT: Final = "split"
EXCLUSION: Final = "exclusion"
FOLD: Final = "fold"
LEAK: Final = "leak"
"""What the other folder holds of a face, if anything: one of `LEAKS`, else empty."""
DUPLICATE: Final = "duplicate"
"""Equal pixels."""
NEAR_DUPLICATE: Final = "near-duplicate"
"""A mirrored, recompressed or slightly shifted copy, by comparison of these two faces themselves."""
LEAKS: Final = (DUPLICATE, NEAR_DUPLICATE)

# Columns of fold-K.parquet, label_quality.parquet and predictions.parquet.
PROBABILITIES: Final = "probabilities"
PREDICTION: Final = "prediction"
SUGGESTED_LABEL: Final = "suggested_label"
LABEL_QUALITY: Final = "label_quality"
RANK: Final = "rank"

# Further column of suspects.csv: what the issue with a face is.
ISSUE_TYPE: Final = "issue_type"
WRONG: Final = "wrong"
"""One clear other expression."""
AMBIGUOUS: Final = "ambiguous"
"""Two plausible expressions."""
NON_FACE: Final = "non_face"
"""An error image, a text, a drawing, or nothing but one gray."""
ISSUE_TYPES: Final = (WRONG, AMBIGUOUS, NON_FACE)

# Further column of neighbors.parquet, one row a suspect: paths, the nearest first.
NEIGHBORS: Final = "neighbors"

# Further columns of roc.csv, one row a point of a curve.
EXPRESSION: Final = "expression"
FALSE_POSITIVE_RATE: Final = "false_positive_rate"
TRUE_POSITIVE_RATE: Final = "true_positive_rate"

# Columns of examples.parquet, one row a face that a split uses.
SAMPLE_WEIGHT: Final = "sample_weight"
SAMPLE_COUNT: Final = "sample_count"
LABEL_SHARES: Final = "label_shares"
"""Where `rebalance.soft_labels` is set: what each class is of a label, in the order of the classes."""

# Columns of relabels.csv, append-only: the last decision on a face that was not undone wins.
GIVEN_LABEL: Final = "given_label"
DECISION: Final = "decision"
ANNOTATOR: Final = "annotator"
DECIDED_AT: Final = "decided_at"
NOTE: Final = "note"
DECISION_COLUMNS: Final = (PIXEL_HASH, GIVEN_LABEL, DECISION, ANNOTATOR, DECIDED_AT, NOTE)
KEEP: Final = "keep"
DROP: Final = "drop"
UNDO: Final = "undo"
"""Takes the last decision on the face back."""

# The archive's folders: Training, and where they are given, Validation and Testing.
TRAINING: Final = "training"
GIVEN_VALIDATION: Final = "validation"
TESTING: Final = "testing"
ORIGINAL_SPLITS: Final = (TRAINING, GIVEN_VALIDATION, TESTING)
ORIGINAL_SPLIT_FOLDERS: Final = {
    "training": TRAINING,
    "train": TRAINING,
    "validation": GIVEN_VALIDATION,
    "valid": GIVEN_VALIDATION,
    "val": GIVEN_VALIDATION,
    "testing": TESTING,
    "test": TESTING,
}

# Columns of history.csv, one row an epoch, named as Keras does.
HISTORY_COLUMNS: Final = ("epoch", "accuracy", "loss", "val_accuracy", "val_loss", "seconds")

# What a face is used for.
TRAIN: Final = "train"
VALIDATION: Final = "validation"
TEST: Final = "test"
EXCLUDED: Final = "excluded"
SPLITS: Final = (TRAIN, VALIDATION, TEST)
ALL_SPLITS: Final = (*SPLITS, EXCLUDED)
DUPLICATE_IN_TESTING: Final = "duplicate in Testing"
NEAR_DUPLICATE_IN_TESTING: Final = "near-duplicate in Testing"
DUPLICATE_IN_VALIDATION: Final = "duplicate in Validation"
NEAR_DUPLICATE_IN_VALIDATION: Final = "near-duplicate in Validation"
EXCLUSIONS: Final = (DUPLICATE_IN_TESTING, NEAR_DUPLICATE_IN_TESTING)
"""Why a face is excluded."""
VALIDATION_EXCLUSIONS: Final = (DUPLICATE_IN_VALIDATION, NEAR_DUPLICATE_IN_VALIDATION)
"""Likewise, where the archive has a Validation folder."""
NO_FOLD: Final = -1

KNOWN_EXPRESSIONS: Final = (
    *("angry", "contempt", "disgust", "fear"),
    *("happy", "neutral", "sad", "surprise"),
)
"""The classes that a dataset may have without being told what its folders mean."""
EXPRESSION_FOLDERS: Final = {
    "anger": "angry",
    "contemptuous": "contempt",
    "disgusted": "disgust",
    "fearful": "fear",
    "happiness": "happy",
    "sadness": "sad",
    "suprise": "surprise",  # as the Kaggle archive spells it
    "surprised": "surprise",
}
"""Other spellings of class folders, in lower case, and the expression that each stands for."""


def expression_of_folder(folder: str, expressions: tuple[str, ...]) -> str | None:
    """The expression that a class folder stands for, or None if it is not one of `expressions`.

    Case is ignored: `Angry`, `ANGER` and `angry` are the same expression, whichever of the names
    `expressions` has for it.
    """
    name = folder.casefold()
    if name in expressions:
        return name
    meant = EXPRESSION_FOLDERS.get(name, name)
    return next((one for one in expressions if EXPRESSION_FOLDERS.get(one, one) == meant), None)
