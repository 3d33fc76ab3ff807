"""Manifests and faces for tests, without an archive."""

import hashlib
from collections.abc import Sequence

import numpy as np
import pandas as pd

from fer_data.core.schema import FACE_SIZE, MANIFEST_COLUMNS, TESTING, TRAINING
from fer_data.validation.expectations import Thresholds

EXPRESSIONS = ("happy", "neutral", "sad")
THRESHOLDS = Thresholds(
    min_faces_per_class=5,
    low_contrast=5,
    max_brightness=230,
    max_two_tone=0.83,
    max_drift=1,
    max_count_change=0.1,
)
"""What `plain_manifest` is held to: so many faces, and none of them a surprise."""


def noise_faces(num_faces: int, *, seed: int = 0) -> np.ndarray:
    """Distinct faces of noise, uint8 (N, 48, 48)."""
    size = (num_faces, FACE_SIZE, FACE_SIZE)
    return np.random.default_rng(seed).integers(0, 256, size, np.uint8)


def manifest_of(
    faces: Sequence[np.ndarray] | np.ndarray, original_splits: list[str], labels: list[str]
) -> pd.DataFrame:
    """The manifest of the given faces, with paths in order."""
    rows = [
        (
            f"{folder.title()}/{label.title()}/{number:06d}.jpg",
            *(folder, label, hashlib.sha256(face.tobytes()).hexdigest()),
            *(FACE_SIZE, FACE_SIZE, "L", "JPEG", face.mean(), face.std()),
        )
        for number, (face, folder, label) in enumerate(
            zip(faces, original_splits, labels, strict=True)
        )
    ]
    return pd.DataFrame(rows, columns=list(MANIFEST_COLUMNS))


def plain_manifest(per_class: int = 40, *, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    """Three classes, `per_class` faces each in Training and a quarter as many in Testing."""
    labels = [label for label in EXPRESSIONS for _ in range(per_class)]
    test_labels = [label for label in EXPRESSIONS for _ in range(per_class // 4)]
    faces = noise_faces(len(labels) + len(test_labels), seed=seed)
    original_splits = [TRAINING] * len(labels) + [TESTING] * len(test_labels)
    return manifest_of(faces, original_splits, labels + test_labels), faces


def text(seed: int) -> np.ndarray:
    """Black and white pixels, as in a line of text, uint8 (48, 48)."""
    return np.random.default_rng(seed).integers(0, 2, (48, 48), np.uint8) * np.uint8(255)


def planted(error: str) -> tuple[pd.DataFrame, set[int]]:
    """A good manifest with one error, and the rows that have it."""
    rows, faces = plain_manifest()
    faces, original_splits, labels = list(faces), list(rows["original_split"]), list(rows["label"])
    copies = {
        "leaks": (0, TESTING, "happy"),
        "conflicting_duplicates": (0, TRAINING, "sad"),
        "duplicates": (0, TRAINING, "happy"),
    }
    if error in copies:
        original, original_split, label = copies[error]
        faces, original_splits, labels = (
            [*faces, faces[0]],
            [*original_splits, original_split],
            [*labels, label],
        )
        return manifest_of(faces, original_splits, labels), {original, len(faces) - 1}
    grays = {"black_faces": 0, "low_contrast": 90, "white_faces": 240}
    faces[0] = np.full((48, 48), grays[error], np.uint8) if error in grays else text(0)
    return manifest_of(faces, original_splits, labels), {0}
