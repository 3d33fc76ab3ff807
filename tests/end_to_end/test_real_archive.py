"""The data stages on the real archive, where FERFLOW_ARCHIVE names it: its facts, time and memory."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

from fer_data.core import tfrecord
from fer_data.core.tables import read_table, write_table
from flows.workspace.client import environment
from flows.workspace.create import make_workspace

pytestmark = pytest.mark.skipif(
    "FERFLOW_ARCHIVE" not in os.environ, reason="FERFLOW_ARCHIVE does not name the real archive"
)

DATA_STAGES = ("ingest", "validate", "split", "rebalance", "tfrecords")
MEASURED = (
    "import os, subprocess, sys; process = subprocess.Popen(sys.argv[1:]); "
    "_, status, usage = os.wait4(process.pid, 0); "
    "print(usage.ru_maxrss, usage.ru_utime + usage.ru_stime); "
    "sys.exit(os.waitstatus_to_exitcode(status))"
)
"""Runs a command and prints its kilobytes and its seconds of the processor.

From a small process, since a child counts its parent's kilobytes; seconds of the processor, since the
clock also counts what else the machine has to do.
"""


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data stages, run by their commands; all labels count as good, so that no fold is scored."""
    folder = tmp_path_factory.mktemp("real") / "workspace"
    link = folder.parent / "archive.zip"
    link.symlink_to(Path(os.environ["FERFLOW_ARCHIVE"]).absolute())
    make_workspace(folder, archive=link, overrides={})
    stages = yaml.safe_load((folder / "dvc.yaml").read_text())["stages"]
    cost = {"seconds": 0.0, "kilobytes": 0.0}
    for name in DATA_STAGES:
        if name == "rebalance":
            manifest = read_table(folder / "data/faces/manifest.parquet")
            quality = manifest[["path", "pixel_hash", "label"]].assign(label_quality=1.0)
            write_table(quality, folder / "data/mislabels/label_quality.parquet")
        words = stages[name]["cmd"].split()
        command = [sys.executable, *words[1:]]
        finished = subprocess.run(
            [sys.executable, "-c", MEASURED, *command],
            cwd=folder,
            env=environment(),
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        assert finished.returncode == 0, name
        kilobytes, seconds = map(float, finished.stdout.split()[-2:])
        cost["kilobytes"] = max(cost["kilobytes"], kilobytes)
        cost["seconds"] += seconds
    (folder / "cost.json").write_text(json.dumps(cost))
    return folder


@pytest.fixture(scope="module")
def manifest(workspace: Path) -> pd.DataFrame:
    return read_table(workspace / "data/faces/manifest.parquet")


def test_every_face_is_taken(workspace: Path, manifest: pd.DataFrame) -> None:
    assert manifest["original_split"].value_counts().to_dict() == {
        "training": 28_273,
        "testing": 7_067,
    }
    assert len(pd.read_csv(workspace / "data/faces/rejected.csv")) == 0


def test_duplicates_leaks_and_black_faces_are_those_of_the_archive(manifest: pd.DataFrame) -> None:
    duplicates = manifest[manifest["pixel_hash"].duplicated(keep=False)].groupby("pixel_hash")
    assert duplicates.ngroups == 1_450
    num_labels = duplicates["label"].nunique()
    assert len(num_labels[num_labels > 1]) == 54
    in_training = set(manifest.loc[manifest["original_split"] == "training", "pixel_hash"])
    testing = manifest[manifest["original_split"] == "testing"]
    assert testing["pixel_hash"].isin(in_training).sum() == 537
    assert (manifest["mean"] == 0).sum() == 12


def test_no_duplicate_group_straddles_roles_or_folds(workspace: Path) -> None:
    rows = read_table(workspace / "data/split/assignments.parquet")
    used = rows[rows["split"] != "excluded"]
    assert used.groupby("duplicate_group")["split"].nunique().max() == 1
    training = rows[rows["fold"] >= 0]
    assert training.groupby("duplicate_group")["fold"].nunique().max() == 1
    assert training.groupby("near_group")["fold"].nunique().max() == 1
    assert training["near_group"].nunique() < training["duplicate_group"].nunique() - 500
    assert rows["split"].value_counts().to_dict() == {
        "train": 24_429,
        "test": 7_067,
        "validation": 2_725,
        "excluded": 1_119,
    }
    assert used[used["fold"] >= 0].groupby("near_group")["split"].nunique().max() == 1


def test_no_testing_face_has_a_duplicate_in_train_save_by_a_chain(workspace: Path) -> None:
    rows = read_table(workspace / "data/split/assignments.parquet")
    reasons = rows["exclusion"].value_counts().to_dict()
    assert reasons == {"": 34_221, "duplicate in Testing": 655, "near-duplicate in Testing": 464}
    testing = rows[rows["split"] == "test"]
    leaks = testing["leak"].value_counts().to_dict()
    assert leaks == {"": 6_257, "duplicate": 537, "near-duplicate": 273}
    learned = set(rows.loc[rows["split"] == "train", "near_group"])
    assert testing["near_group"].isin(learned).sum() == 41


def test_the_records_hold_every_face_of_a_split(workspace: Path) -> None:
    rows = read_table(workspace / "data/split/assignments.parquet")
    for split in ("train", "validation", "test"):
        examples = tfrecord.read_split(workspace / "data/tfrecords", split)
        assert sorted(examples.paths) == sorted(rows.loc[rows["split"] == split, "path"])


def test_the_stages_are_fast_and_small(workspace: Path) -> None:
    """All data stages but `crossval` get 60 s of the processor and 1.5 GB; these five are most of it."""
    cost = json.loads((workspace / "cost.json").read_text())
    assert cost["seconds"] < 60
    assert cost["kilobytes"] < 1_500_000
