import hashlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from fer_data.core import tfrecord
from fer_data.core.errors import UserError
from fer_data.core.tables import write_table
from fer_data.curation import tfrecords
from tests.support.data.manifests import plain_manifest

PARAMS = """
data: {expressions: [happy, neutral, sad]}
tfrecords: {faces_per_shard: 100, seed: 0}
"""


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Faces and curated examples; one face repeated, one left out, one relabeled."""
    folder = tmp_path_factory.mktemp("workspace")
    manifest, pixels = plain_manifest(60)
    np.save(folder / "pixels.npy", pixels)
    write_table(manifest, folder / "manifest.parquet")
    split = np.where(manifest["original_split"] == "testing", "test", "train").astype(object)
    split[:12] = "validation"
    examples = manifest[["path", "pixel_hash", "label"]].assign(split=split, sample_count=1)
    examples["sample_weight"] = np.linspace(0.5, 1.5, len(examples)).astype(np.float32)
    examples.loc[20, "sample_count"] = 3
    examples.loc[21, "sample_count"] = 0
    examples.loc[22, "label"] = "sad"
    write_table(examples, folder / "examples.parquet")
    (folder / "params.yaml").write_text(PARAMS)
    return folder


def build(workspace: Path, name: str, *, examples: str = "examples.parquet") -> Path:
    flags = ("--examples", examples, "--manifest", "manifest.parquet")
    files = ("--pixels", "pixels.npy", "--records", name)
    root = Path(__file__).parents[3]
    # A process of its own, since the order of a record's keys is a process's.
    subprocess.run(
        [sys.executable, "-m", tfrecords.__name__, *flags, *files],
        cwd=workspace,
        check=True,
        capture_output=True,
        env={"PYTHONPATH": str(root), "PATH": ""},
    )
    return workspace / name


@pytest.fixture(scope="module")
def folder(workspace: Path) -> Path:
    return build(workspace, "records")


def test_two_builds_are_the_same_bytes(workspace: Path, folder: Path) -> None:
    again = build(workspace, "again")
    names = sorted(file.name for file in folder.iterdir())
    assert names == sorted(file.name for file in again.iterdir())
    shards = [name for name in names if ".tfrecord-" in name]
    assert len(shards) == 4  # train has two of them
    assert all((folder / name).stat().st_size > 10_000 for name in shards)
    for name in names:
        assert (folder / name).read_bytes() == (again / name).read_bytes(), name


def expected_train(workspace: Path) -> pd.DataFrame:
    examples = pd.read_parquet(workspace / "examples.parquet")
    train = examples[examples["split"] == "train"]
    return train.loc[train.index.repeat(train["sample_count"])].sort_values("path")


def test_plain_tf_data_reads_what_was_curated(workspace: Path, folder: Path) -> None:
    train = tfrecord.read_split(folder, "train")
    expected = expected_train(workspace)
    order = np.argsort(train.paths, kind="stable")
    assert [train.paths[row] for row in order] == list(expected["path"])
    assert list(order) != sorted(order)  # shuffled
    numbers = expected["label"].map({"happy": 0, "neutral": 1, "sad": 2})
    np.testing.assert_array_equal(train.labels[order], numbers)
    np.testing.assert_array_equal(train.weights[order], expected["sample_weight"])
    assert train.faces.shape == (len(expected), 48, 48, 1)
    hashes = [hashlib.sha256(face.tobytes()).hexdigest() for face in train.faces]
    assert hashes == train.pixel_hashes
    assert tfrecord.expressions(folder) == ("happy", "neutral", "sad")


def test_tfds_reads_the_same(folder: Path) -> None:
    builder = tfds.builder_from_directory(str(folder))
    assert builder.info.features["label"].names == ["happy", "neutral", "sad"]
    for split in ("train", "validation", "test"):
        ours = tfrecord.read_split(folder, split)
        theirs = list(tfds.as_numpy(builder.as_dataset(split=split, shuffle_files=False)))
        assert builder.info.splits[split].num_examples == len(theirs) == len(ours.labels) > 0
        by_path = {row["path"].decode(): row for row in theirs}
        assert set(by_path) == set(ours.paths)
        for face, label, path in zip(ours.faces, ours.labels, ours.paths, strict=True):
            np.testing.assert_array_equal(by_path[path]["image"], face)
            assert by_path[path]["label"] == label


def test_a_record_is_a_plain_example(folder: Path) -> None:
    files = sorted(map(str, folder.glob("ferflow-test.tfrecord-*")))
    example = tf.train.Example.FromString(next(iter(tf.data.TFRecordDataset(files))).numpy())
    assert sorted(example.features.feature) == ["image", "label", "path", "pixel_hash", "weight"]
    assert len(example.features.feature["image"].bytes_list.value[0]) == 48 * 48


def test_a_face_of_another_shape_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"got a face of uint8 \(40, 48\), expected uint8 \(48, 48\)"
    ):
        tfrecord.to_record(np.zeros((40, 48), np.uint8), 0, weight=1, path="", pixel_hash="")


def test_missing_records_name_the_way_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no records of the split 'train' .*dvc repro tfrecords"):
        tfrecord.read_split(tmp_path, "train")
    with pytest.raises(UserError, match="holds no records: `dvc repro tfrecords`"):
        tfrecord.expressions(tmp_path)


def test_the_metadata_counts_the_records(folder: Path) -> None:
    info = json.loads((folder / "dataset_info.json").read_text())
    lengths = {split["name"]: sum(map(int, split["shardLengths"])) for split in info["splits"]}
    assert lengths == {"train": 169, "validation": 12, "test": 45}


def test_soft_labels_travel_in_every_record(workspace: Path) -> None:
    examples = pd.read_parquet(workspace / "examples.parquet")
    order = ("happy", "neutral", "sad")
    shares = np.eye(3, dtype=np.float32)[examples["label"].map(order.index)]
    shares[30:] = [0.25, 0.5, 0.25]
    write_table(examples.assign(label_shares=list(shares)), workspace / "soft.parquet")
    folder = build(workspace, "soft", examples="soft.parquet")
    expected = dict(zip(examples["path"], shares, strict=True))
    for split in ("train", "validation", "test"):
        read = tfrecord.read_split(folder, split)
        assert read.shares is not None
        np.testing.assert_array_equal(read.shares, [expected[path] for path in read.paths])
    builder = tfds.builder_from_directory(folder)
    row = next(iter(builder.as_dataset(split="train").as_numpy_iterator()))
    np.testing.assert_array_equal(row["label_shares"], expected[row["path"].decode()])


def test_records_of_plain_labels_have_no_shares(folder: Path) -> None:
    assert tfrecord.read_split(folder, "train").shares is None
    assert "label_shares" not in (folder / "features.json").read_text()


def test_a_damaged_shard_is_named_and_not_read(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "records"
    shutil.copytree(folder, copy)
    file = sorted(copy.glob("*-train.tfrecord-*"))[-1]
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    for content in (data, data[:-5]):
        file.write_bytes(content)
        with pytest.raises(
            UserError, match=rf"^{re.escape(str(file))} is damaged: a record does not"
        ):
            tfrecord.read_split(copy, "train")
    assert len(tfrecord.read_split(copy, "validation").labels)


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("x; No space left on device", r"^\[Errno 28\] No space left on device: 'full'$"),
        ("OOM when allocating", "OOM when allocating"),
    ],
)
def test_a_full_disk_is_an_error_of_the_system(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, words: str, error: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise tf.errors.ResourceExhaustedError(None, None, words)

    flags = {"examples": "examples.parquet", "manifest": "manifest.parquet"}
    flags |= {"pixels": "pixels.npy", "records": "full"}
    typed = [word for name, path in flags.items() for word in (f"--{name}", path)]
    monkeypatch.chdir(workspace)
    monkeypatch.setattr(sys, "argv", ["tfrecords", *typed])
    monkeypatch.setattr(tfrecords, "write_records", fail)
    with pytest.raises((OSError, tf.errors.ResourceExhaustedError), match=error):
        tfrecords.main()
    assert not list(workspace.glob("*full*"))
