"""The TFRecord format of a face: writes examples, and reads them with plain `tf.data`.

A record is a `tf.train.Example` with the raw pixels, so that reading needs no image decoder and one
`parse_example` serves a whole batch. The same files open with `tfds.builder_from_directory`.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf

from fer_data.core.errors import UserError
from fer_data.core.schema import FACE_SIZE, LABEL_SHARES, SPLITS

NAME = "ferflow"
"""The data set's name in file names and in TFDS."""

EXPRESSIONS_FILE = "expressions.json"
"""The classes in the order of the label numbers, beside the records."""

_READ_BATCH = 1024
_SPECIFICATION = {
    "image": tf.io.FixedLenFeature([], tf.string),
    "label": tf.io.FixedLenFeature([], tf.int64),
    "weight": tf.io.FixedLenFeature([], tf.float32),
    "path": tf.io.FixedLenFeature([], tf.string),
    "pixel_hash": tf.io.FixedLenFeature([], tf.string),
    # K numbers, or none at all where labels are not soft.
    LABEL_SHARES: tf.io.FixedLenSequenceFeature([], tf.float32, allow_missing=True),
}


@dataclass(frozen=True)
class Examples:
    """The N examples of one split, in the order of the records."""

    faces: np.ndarray
    """uint8 (N, 48, 48, 1)."""
    labels: np.ndarray
    """int64 (N,), 0 to K - 1."""
    weights: np.ndarray
    """float32 (N,), the weight of each example in the training loss."""
    paths: list[str]
    """The member's name in the archive, for each face."""
    pixel_hashes: list[str]
    """SHA-256 of the pixels, for each face."""
    shares: np.ndarray | None = None
    """float32 (N, K), where labels are soft: what each class is of a face's label."""


def to_record(
    face: np.ndarray,
    label: int,
    *,
    weight: float,
    path: str,
    pixel_hash: str,
    shares: Sequence[float] | np.ndarray | None = None,
) -> bytes:
    """One serialised example; the same bytes for the same arguments.

    Args:
        face: uint8 (48, 48).
        label: The class, 0 to K - 1.
        weight: The example's weight in the training loss.
        path: The member's name in the archive.
        pixel_hash: SHA-256 of the pixels, in hexadecimal.
        shares: K numbers, what each class is of a soft label; None: labels are not soft.

    Raises:
        ValueError: The face has another shape or type.
    """
    if face.dtype != np.uint8 or face.shape != (FACE_SIZE, FACE_SIZE):
        expected = f"uint8 {(FACE_SIZE, FACE_SIZE)}"
        raise ValueError(f"got a face of {face.dtype} {face.shape}, expected {expected}")
    feature = {
        "image": _bytes(face.tobytes()),
        "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
        "weight": tf.train.Feature(float_list=tf.train.FloatList(value=[weight])),
        "path": _bytes(path.encode()),
        "pixel_hash": _bytes(pixel_hash.encode()),
    }
    if shares is not None:
        feature[LABEL_SHARES] = tf.train.Feature(float_list=tf.train.FloatList(value=shares))
    example = tf.train.Example(features=tf.train.Features(feature=feature))
    # Without the flag, the order of the map's keys differs from process to process.
    return example.SerializeToString(deterministic=True)


def read_split(folder: Path, split: str) -> Examples:
    """Reads all examples of a split into memory: 2.3 kB a face.

    Args:
        folder: The folder of records.
        split: `train`, `validation` or `test`.

    Raises:
        UserError: There are no records of that split, or a file of them is damaged: each record has a
            checksum.
    """
    files = sorted(map(str, folder.glob(f"{NAME}-{split}.tfrecord-*")))
    dataset = tf.data.TFRecordDataset(files).batch(_READ_BATCH).map(_parse)
    try:
        batches = list(dataset.as_numpy_iterator())
    except tf.errors.DataLossError:
        damaged = next(filter(_is_damaged, files), str(folder))
        raise UserError(
            f"{damaged} is damaged: a record does not fit its checksum; remove {folder}, and `dvc repro "
            "tfrecords` makes it again"
        ) from None
    if not batches:
        raise UserError(
            f"{folder} has no records of the split '{split}' (splits: {', '.join(SPLITS)}): "
            "`dvc repro tfrecords` makes them, `dvc pull` fetches them"
        )
    columns = [np.concatenate(parts) for parts in zip(*batches, strict=True)]
    faces, labels, weights, paths, hashes, shares = columns
    return Examples(
        faces=faces,
        labels=labels,
        weights=weights,
        paths=[path.decode() for path in paths],
        pixel_hashes=[pixel_hash.decode() for pixel_hash in hashes],
        shares=shares if shares.shape[1] else None,
    )


def expressions(folder: Path) -> tuple[str, ...]:
    """The K classes of the records, in the order of their label numbers.

    Raises:
        UserError: The folder holds no records.
    """
    try:
        return tuple(json.loads((folder / EXPRESSIONS_FILE).read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise UserError(
            f"{folder} holds no records: `dvc repro tfrecords` makes them, `dvc pull` fetches them"
        ) from None


def _is_damaged(file: str) -> bool:
    """Whether a record of a file does not fit its checksum, or the file ends early."""
    try:
        for _ in tf.data.TFRecordDataset(file):
            pass
    except tf.errors.DataLossError:
        return True
    return False


def _bytes(value: bytes) -> tf.train.Feature:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))


def _parse(batch: tf.Tensor) -> tuple[object, ...]:
    columns = tf.io.parse_example(batch, _SPECIFICATION)
    faces = tf.io.decode_raw(columns["image"], tf.uint8)  # (B, 2304)
    faces = tf.reshape(faces, [-1, FACE_SIZE, FACE_SIZE, 1])
    return faces, *(
        columns[name] for name in ("label", "weight", "path", "pixel_hash", LABEL_SHARES)
    )
