"""The expectation suite for an archive of faces, in Great Expectations.

Severity `critical` marks what makes an archive unusable, `warning` what its user should know:
duplicates, leaks and black faces are facts of FER2013.
"""

from typing import Any

import great_expectations.expectations as gxe
from great_expectations.expectations.expectation import Expectation

from fer_data.core.schema import (
    FACE_SIZE,
    FORMAT,
    HEIGHT,
    MEAN,
    MODE,
    PATH,
    PIXEL_HASH,
    STD,
    TESTING,
    TRAINING,
    WIDTH,
)
from fer_data.validation.baseline import Baseline
from fer_data.validation.derived_columns import (
    BRIGHTNESS_CHANGE,
    BRIGHTNESS_DRIFT,
    CLASS_FOLDER,
    CLASS_FOLDER_SIZE,
    CONTRAST_CHANGE,
    CONTRAST_DRIFT,
    COUNT_CHANGE,
    NUM_DUPLICATE_LABELS,
    NUM_DUPLICATE_SPLITS,
    TWO_TONE,
    USUAL_FORMAT,
)
from fer_data.validation.thresholds import Thresholds

CRITICAL = "critical"
WARNING = "warning"
GREY = "L"
"""Pillow's mode of eight gray bits."""


def build_suite(
    thresholds: Thresholds,
    *,
    expressions: tuple[str, ...],
    baseline: Baseline | None = None,
    original_splits: tuple[str, ...] = (TRAINING, TESTING),
) -> list[Expectation]:
    """The expectations, each with a name in `meta` and its meaning in words as `description`.

    Args:
        thresholds: What is no surprise.
        expressions: The classes.
        baseline: What to compare the archive with; without one, nothing is expected of its change.
        original_splits: The folders that the archive has.
    """
    drifts = {
        BRIGHTNESS_DRIFT: "Testing is as bright as Training",
        CONTRAST_DRIFT: "Testing is as rich in contrast as Training",
    }
    # Critical ones first: the report keeps this order.
    suite = [
        *_usable(thresholds, expressions, original_splits),
        *_images(thresholds),
        *_duplicates(original_splits),
        *_drifts(thresholds, drifts if TESTING in original_splits else {}),
    ]
    if baseline is None:
        return suite
    # Changes since the baseline are warnings: an archive may grow, and a person accepts it again.
    since = f"those of the archive that {baseline.accepted_by} accepted"
    return [
        *suite,
        gxe.ExpectColumnDistinctValuesToContainSet(
            column=CLASS_FOLDER,
            value_set=sorted(folder for folder, count in baseline.counts.items() if count),
            **_named(
                "accepted_classes",
                WARNING,
                f"Each class and folder of the archive that {baseline.accepted_by} accepted has faces",
            ),
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column=COUNT_CHANGE,
            max_value=thresholds.max_count_change,
            **_named(
                COUNT_CHANGE,
                WARNING,
                f"Classes have as many faces in each folder as {since}, within "
                f"{thresholds.max_count_change:.0%} (a face stands for its folder)",
            ),
        ),
        *_drifts(
            thresholds,
            {
                BRIGHTNESS_CHANGE: f"Faces are as bright as {since}",
                CONTRAST_CHANGE: f"Faces are as rich in contrast as {since}",
            },
        ),
    ]


def name_of(expectation: Expectation) -> str:
    """The name that an expectation of the suite has in the reports."""
    return (expectation.meta or {})["name"]


def _usable(
    thresholds: Thresholds, expressions: tuple[str, ...], original_splits: tuple[str, ...]
) -> list[Expectation]:
    """What must hold, or the archive is unusable."""
    folders = [f"{folder}/{expression}" for folder in original_splits for expression in expressions]
    in_each = " and in ".join(folder.title() for folder in original_splits)
    return [
        gxe.ExpectColumnValuesToBeUnique(
            column=PATH, **_named("unique_paths", CRITICAL, "Every path stands once")
        ),
        gxe.ExpectColumnValuesToBeInSet(
            column=CLASS_FOLDER,
            value_set=folders,
            **_named("known_classes", CRITICAL, "Every face is in a known class and folder"),
        ),
        gxe.ExpectColumnDistinctValuesToContainSet(
            column=CLASS_FOLDER,
            value_set=folders,
            **_named("all_classes", CRITICAL, f"Each class has faces in {in_each}"),
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column=CLASS_FOLDER_SIZE,
            min_value=thresholds.min_faces_per_class,
            **_named(
                "enough_faces",
                CRITICAL,
                f"Each class has at least {thresholds.min_faces_per_class} faces in each folder",
            ),
        ),
        gxe.ExpectColumnValuesToMatchRegex(
            column=PIXEL_HASH,
            regex="^[0-9a-f]{64}$",
            **_named("pixel_hashes", CRITICAL, "Every face has the hash of its pixels"),
        ),
    ]


def _images(thresholds: Thresholds) -> list[Expectation]:
    """What an image of a face looks like."""
    return [
        gxe.ExpectColumnPairValuesToBeEqual(
            column_A=WIDTH,
            column_B=HEIGHT,
            **_named("square", WARNING, "Every image is square"),
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column=WIDTH,
            min_value=FACE_SIZE,
            max_value=FACE_SIZE,
            **_named("native_size", WARNING, f"No image was resized to {FACE_SIZE}x{FACE_SIZE}"),
        ),
        gxe.ExpectColumnValuesToBeInSet(
            column=MODE,
            value_set=[GREY],
            **_named("native_grey", WARNING, "Every image was gray, none of color was converted"),
        ),
        gxe.ExpectColumnPairValuesToBeEqual(
            column_A=FORMAT,
            column_B=USUAL_FORMAT,
            **_named("one_format", WARNING, "All images have the format that most have"),
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column=MEAN,
            min_value=0,
            strict_min=True,
            **_named("black_faces", WARNING, "No face is all black"),
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column=MEAN,
            max_value=thresholds.max_brightness,
            **_named(
                "white_faces",
                WARNING,
                f"No face is nearly white, above {thresholds.max_brightness:g} gray levels",
            ),
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column=STD,
            min_value=thresholds.low_contrast,
            **_named(
                "low_contrast",
                WARNING,
                f"The pixels of a face vary by at least {thresholds.low_contrast:g} gray levels",
            ),
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column=TWO_TONE,
            max_value=thresholds.max_two_tone,
            **_named(TWO_TONE, WARNING, "No image is of black and white alone, as drawings are"),
        ),
    ]


def _duplicates(original_splits: tuple[str, ...]) -> list[Expectation]:
    """What makes measurements too good, or labels unreliable."""
    folders = " and in ".join(folder.title() for folder in original_splits)
    both = "both " if len(original_splits) == 2 else ""
    return [
        gxe.ExpectColumnValuesToBeUnique(
            column=PIXEL_HASH, **_named("duplicates", WARNING, "No two faces have the same pixels")
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column=NUM_DUPLICATE_SPLITS,
            max_value=1,
            **_named("leaks", WARNING, f"No face stands {both}in {folders}"),
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column=NUM_DUPLICATE_LABELS,
            max_value=1,
            **_named("conflicting_duplicates", WARNING, "The same pixels have the same label"),
        ),
    ]


def _drifts(thresholds: Thresholds, meanings: dict[str, str]) -> list[Expectation]:
    """An expectation for each drift, by its column, that it is small."""
    within = f"within {thresholds.max_drift:g} standard deviations"
    return [
        gxe.ExpectColumnMaxToBeBetween(
            column=column,
            max_value=thresholds.max_drift,
            **_named(column, WARNING, f"{meaning}, {within}"),
        )
        for column, meaning in meanings.items()
    ]


def _named(name: str, severity: str, meaning: str) -> dict[str, Any]:
    return {"meta": {"name": name}, "severity": severity, "description": meaning}
