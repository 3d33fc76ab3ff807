"""Writes the curated examples and their pixels as TFRecords that TFDS and plain `tf.data` read."""

import errno
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import tensorflow as tf
import tensorflow_datasets as tfds

from fer_data.core import tfrecord
from fer_data.core.face_store import read_faces
from fer_data.core.files import atomic_write
from fer_data.core.schema import (
    FACE_SIZE,
    LABEL,
    LABEL_SHARES,
    PATH,
    PIXEL_HASH,
    SAMPLE_COUNT,
    SAMPLE_WEIGHT,
    SPLIT,
    SPLITS,
)
from fer_data.core.tables import read_table
from fer_data.curation.tfrecords_settings import TfrecordsSettings
from fer_data.stages import stage
from fer_data.stages.settings import DataSettings, read_settings

logger = logging.getLogger(__name__)


def write_records(
    folder: Path,
    examples: pd.DataFrame,
    faces: np.ndarray,
    *,
    expressions: tuple[str, ...],
    faces_per_shard: int,
    seed: int,
) -> dict[str, int]:
    """Writes the records of each split, shuffled, and the metadata that TFDS reads.

    Args:
        folder: An existing, empty folder.
        examples: N rows with `path`, `pixel_hash`, `label`, `split`, `sample_weight` and `sample_count`,
            in the order of `faces`; `label_shares`, too, where labels are soft.
        faces: uint8 (N, 48, 48).
        expressions: The classes, in the order of their label numbers.
        faces_per_shard: How many records a file holds at most.
        seed: Seed of the shuffle.

    Returns:
        The number of records of each split.
    """
    label_numbers = {expression: number for number, expression in enumerate(expressions)}
    template = tfds.core.ShardedFileTemplate(
        data_dir=folder,
        dataset_name=tfrecord.NAME,
        filetype_suffix="tfrecord",
        template="{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}",
    )
    split_infos: list[tfds.core.SplitInfo] = []
    for split in SPLITS:
        rows = np.flatnonzero(examples[SPLIT] == split)
        rows = np.repeat(rows, examples[SAMPLE_COUNT].to_numpy()[rows])
        np.random.default_rng(seed).shuffle(rows)
        shards = np.array_split(rows, max(1, -(-len(rows) // faces_per_shard)))
        num_bytes = 0
        for number, shard in enumerate(shards):
            name = f"{tfrecord.NAME}-{split}.tfrecord-{number:05d}-of-{len(shards):05d}"
            num_bytes += _write_shard(folder / name, examples.iloc[shard], faces, label_numbers)
        split_infos.append(
            tfds.core.SplitInfo(
                name=split,
                shard_lengths=[len(shard) for shard in shards],
                num_bytes=num_bytes,
                filename_template=template.replace(split=split),
            )
        )
    tfds.folder_dataset.write_metadata(
        data_dir=folder,
        features=_features(expressions, is_soft=LABEL_SHARES in examples),
        split_infos=split_infos,
        description="Gray 48x48 faces with the expression they show, as curated by Ferflow.",
        supervised_keys=("image", "label"),
        check_data=False,
    )
    names = stage.json_text(expressions, of=tfrecord.EXPRESSIONS_FILE, indent=None)
    (folder / tfrecord.EXPRESSIONS_FILE).write_text(names, encoding="utf-8")
    return {str(info.name): info.num_examples for info in split_infos}


def _write_shard(
    file: Path, examples: pd.DataFrame, faces: np.ndarray, label_numbers: dict[str, int]
) -> int:
    num_bytes = 0
    columns = (examples[name] for name in ("row", LABEL, SAMPLE_WEIGHT, PATH, PIXEL_HASH))
    shares = examples[LABEL_SHARES] if LABEL_SHARES in examples else [None] * len(examples)
    with tf.io.TFRecordWriter(str(file)) as writer:
        for row, label, weight, path, pixel_hash, share in zip(*columns, shares, strict=True):
            record = tfrecord.to_record(
                *(faces[row], label_numbers[label]),
                weight=weight,
                path=path,
                pixel_hash=pixel_hash,
                shares=share,
            )
            writer.write(record)
            num_bytes += len(record)
    return num_bytes


@contextmanager
def _system_errors() -> Iterator[None]:
    """Tells of a full disk as the system does: TensorFlow has an error of its own for it."""
    try:
        yield
    except tf.errors.ResourceExhaustedError as error:
        words = os.strerror(errno.ENOSPC)
        if words not in str(error):  # of memory
            raise
        raise OSError(errno.ENOSPC, words) from error


def _features(expressions: tuple[str, ...], *, is_soft: bool) -> tfds.features.FeaturesDict:
    shape = (FACE_SIZE, FACE_SIZE, 1)
    shares = tfds.features.Tensor(shape=(len(expressions),), dtype=np.float32)
    return tfds.features.FeaturesDict(
        {
            "image": tfds.features.Tensor(
                shape=shape, dtype=np.uint8, encoding=tfds.features.Encoding.BYTES
            ),
            "label": tfds.features.ClassLabel(names=list(expressions)),
            "weight": tfds.features.Scalar(dtype=np.float32),
            "path": tfds.features.Text(),
            "pixel_hash": tfds.features.Text(),
            **({LABEL_SHARES: shares} if is_soft else {}),
        }
    )


def main() -> None:
    """Reads the curated examples and the pixels, writes the folder of records."""
    flags = stage.parse_flags(__doc__, "examples", "manifest", "pixels", "records")
    settings = read_settings(TfrecordsSettings, "tfrecords")
    expressions = read_settings(DataSettings, "data").expressions
    manifest, faces = read_faces(flags.manifest, flags.pixels)
    row_of_path = pd.Series(np.arange(len(manifest)), index=manifest[PATH])
    examples = read_table(flags.examples)
    examples = examples.assign(row=row_of_path.loc[examples[PATH]].to_numpy())
    with atomic_write(flags.records, replace_folder=True) as folder, _system_errors():
        folder.mkdir()
        counts = write_records(
            folder, examples, faces, expressions=expressions, **settings.model_dump()
        )
    logger.info("tfrecords: %s -> %s", counts, flags.records)


if __name__ == "__main__":
    stage.run(main)
