"""Faces that a network learns in seconds: each class has its own bright band."""

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd

from fer_data.core import tfrecord
from fer_data.curation.tfrecords import write_records

TRAINING_SETTINGS = {
    "epochs": 5,
    "batch_size": 16,
    "optimizer": "rmsprop",
    "weight_decay": 0.0,
    "learning_rate": 0.003,
    "schedule": "constant",
    "warmup_fraction": 0.0,
    "label_smoothing": 0.0,
    "mixup_alpha": 0.0,
    "teacher_weight": 0.0,
    "monitor": "val_accuracy",
    "restore_best_weights": False,
    "patience": None,
    "augmentation": {
        "horizontal_flip": False,
        "rotation_degrees": 0.0,
        "translation_fraction": 0.0,
        "zoom_fraction": 0.0,
        "contrast_fraction": 0.0,
        "random_erasing_fraction": 0.0,
        "salt_and_pepper_fraction": 0.0,
        "salt_and_pepper_copies": False,
    },
    "small_faces": {"size": 32, "epochs": 0},
    "mixed_precision": "auto",
    "xla": "auto",
    "deterministic": True,
    "seed": 0,
}
"""What every model's section holds, for a training of seconds."""

EXPRESSIONS = ("happy", "neutral", "sad")


def banded_faces(num_faces: int, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """uint8 (N, 48, 48) and labels (N,): noise, and a band whose height tells the class."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 3, num_faces)
    faces = generator.integers(0, 150, (num_faces, 48, 48), np.uint8)
    for face, label in zip(faces, labels, strict=True):
        face[16 * label + 4 : 16 * label + 12] += 100
    return faces, labels


def write_tiny_records(folder: Path, *, num_faces: int = 240) -> None:
    """Records of banded faces: most in train, an eighth each in validation and test."""
    faces, labels = banded_faces(num_faces)
    split = np.full(num_faces, "train", dtype=object)
    split[: num_faces // 8] = "validation"
    split[-num_faces // 8 :] = "test"
    examples = pd.DataFrame(
        {
            "path": [f"{number:04d}.jpg" for number in range(num_faces)],
            "pixel_hash": [hashlib.sha256(face.tobytes()).hexdigest() for face in faces],
            "label": np.array(EXPRESSIONS, dtype=object)[labels],
            "split": split,
            "sample_weight": np.float32(1),
            "sample_count": 1,
            "row": np.arange(num_faces),
        }
    )
    folder.mkdir()
    write_records(folder, examples, faces, expressions=EXPRESSIONS, faces_per_shard=1000, seed=0)
    assert tfrecord.read_split(folder, "train").labels.size
