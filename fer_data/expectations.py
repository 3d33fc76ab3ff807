"""The expectation suite: what a usable archive of faces looks like, as Great Expectations data.

Severity `critical` marks what makes an archive unusable, `warning` what its user should know: twins,
leaks and black faces are facts of FER2013.
"""

from typing import Any

import great_expectations.expectations as gxe
import pandas as pd
from great_expectations.expectations.expectation import Expectation

from fer_data.schema import (
    FACE_SIZE,
    HEIGHT,
    LABEL,
    MEAN,
    PATH,
    PIXEL_HASH,
    SOURCE,
    SOURCES,
    STD,
    TESTING,
    TRAINING,
    WIDTH,
)

CRITICAL = "critical"
WARNING = "warning"

CLASS_FOLDER = "class_folder"
CLASS_FOLDER_SIZE = "class_folder_size"
NUM_TWIN_SOURCES = "num_twin_sources"
NUM_TWIN_LABELS = "num_twin_labels"
BRIGHTNESS_DRIFT = "brightness_drift"
CONTRAST_DRIFT = "contrast_drift"


def with_facts(manifest: pd.DataFrame) -> pd.DataFrame:
    """Adds the columns that the expectations look at.

    Args:
        manifest: N faces, see `schema.MANIFEST_COLUMNS`.

    Returns:
        The manifest with the face's class and folder (`training/angry`), the number of faces there,
        the numbers of folders and of labels among its exact twins (itself included), and, the same
        in each row, the drift of brightness and contrast: the difference between the means of
        Testing and Training, in standard deviations of Training.
    """
    twins = manifest.groupby(PIXEL_HASH)
    folder = manifest[SOURCE] + "/" + manifest[LABEL]
    return manifest.assign(
        **{
            CLASS_FOLDER: folder,
            CLASS_FOLDER_SIZE: folder.map(folder.value_counts()),
            NUM_TWIN_SOURCES: twins[SOURCE].transform("nunique"),
            NUM_TWIN_LABELS: twins[LABEL].transform("nunique"),
            BRIGHTNESS_DRIFT: _drift(manifest, MEAN),
            CONTRAST_DRIFT: _drift(manifest, STD),
        }
    )


def build_suite(
    *,
    expressions: tuple[str, ...],
    min_faces_per_class: int,
    low_contrast: float,
    max_drift: float,
) -> list[Expectation]:
    """The expectations, each with a name in `meta` and its meaning in words as `description`.

    Args:
        expressions: The classes.
        min_faces_per_class: How many faces each class has in each folder, at least.
        low_contrast: The standard deviation, in grey levels, below which a face shows nothing.
        max_drift: The drift of brightness and contrast that is no surprise, in standard deviations.
    """
    folders = [f"{source}/{expression}" for source in SOURCES for expression in expressions]
    size = {"min_value": FACE_SIZE, "max_value": FACE_SIZE}
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
            **_named("all_classes", CRITICAL, "Each class has faces in Training and in Testing"),
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column=CLASS_FOLDER_SIZE,
            min_value=min_faces_per_class,
            **_named(
                "enough_faces",
                CRITICAL,
                f"Each class has at least {min_faces_per_class} faces in each folder",
            ),
        ),
        gxe.ExpectColumnValuesToMatchRegex(
            column=PIXEL_HASH,
            regex="^[0-9a-f]{64}$",
            **_named("pixel_hashes", CRITICAL, "Every face has the hash of its pixels"),
        ),
        gxe.ExpectColumnPairValuesToBeEqual(
            column_A=WIDTH,
            column_B=HEIGHT,
            **_named("square", WARNING, "Every picture is square"),
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column=WIDTH,
            **size,
            **_named("native_size", WARNING, f"No picture was resized to {FACE_SIZE}x{FACE_SIZE}"),
        ),
        gxe.ExpectColumnValuesToBeUnique(
            column=PIXEL_HASH, **_named("twins", WARNING, "No two faces have the same pixels")
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column=NUM_TWIN_SOURCES,
            max_value=1,
            **_named("leaks", WARNING, "No face stands both in Training and in Testing"),
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column=NUM_TWIN_LABELS,
            max_value=1,
            **_named("conflicting_twins", WARNING, "The same pixels have the same label"),
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column=MEAN,
            min_value=0,
            strict_min=True,
            **_named("black_faces", WARNING, "No face is all black"),
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column=STD,
            min_value=low_contrast,
            **_named(
                "low_contrast",
                WARNING,
                f"The pixels of a face vary by {low_contrast:g} grey levels",
            ),
        ),
        *(
            gxe.ExpectColumnMaxToBeBetween(
                column=column,
                max_value=max_drift,
                **_named(
                    column,
                    WARNING,
                    f"Testing is as {word} as Training, within {max_drift:g} standard deviations",
                ),
            )
            for column, word in ((BRIGHTNESS_DRIFT, "bright"), (CONTRAST_DRIFT, "rich in contrast"))
        ),
    ]


def name_of(expectation: Expectation) -> str:
    """The name that an expectation of the suite has in the reports."""
    return (expectation.meta or {})["name"]


def _named(name: str, severity: str, meaning: str) -> dict[str, Any]:
    return {"meta": {"name": name}, "severity": severity, "description": meaning}


def _drift(manifest: pd.DataFrame, column: str) -> float:
    training = manifest.loc[manifest[SOURCE] == TRAINING, column]
    testing = manifest.loc[manifest[SOURCE] == TESTING, column]
    return abs(testing.mean() - training.mean()) / max(training.std(), 1e-9)
