"""A small workspace with a review queue, and real review apps on it, for the tests of the review app."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from fer_data.annotation.decision_log import read_decisions
from fer_data.annotation.latest_decisions import latest_decisions
from fer_data.core.schema import DECISION_COLUMNS
from fer_data.review_queue.audit import AUDIT_COLUMNS
from fer_models.cross_validation.neighbors import NUM_NEIGHBORS
from tests.support.data.findings import HOSTILE, blob
from tests.support.data.manifests import manifest_of
from tests.support.servers.processes import Served, served

EXPRESSIONS = ("angry", "happy", "sad")
ISSUE_TYPES = ("wrong", "wrong", "ambiguous", "non_face")
NUM_SUSPECTS = 40
NUM_TRAINING = 60
NEIGHBOR_ROWS = range(NUM_TRAINING - NUM_NEIGHBORS, NUM_TRAINING)
"""Rows of each suspect's neighbors: as many as the stage gives it."""
NEAR_DUPLICATES = [29, 32, 34, 52, 65]
"""Rows of the archive: two sad faces and a happy one of the queue, one elsewhere, one in Testing."""
RELABELS = Path("data/relabels.csv")
GRAPH = {
    "ingest": {"outs": ["data/faces/manifest.parquet", "data/faces/pixels.npy"]},
    "split": {"outs": ["data/split/assignments.parquet"]},
    "review_queue": {
        "deps": [str(RELABELS)],
        "outs": [
            "data/review_queue/audit.csv",
            "data/review_queue/neighbors.parquet",
            "data/review_queue/suspects.csv",
        ],
    },
    "quality_report": {"deps": [str(RELABELS)]},
}


def archive() -> tuple[pd.DataFrame, np.ndarray]:
    """A manifest and its faces: 60 in Training, 10 in Testing.

    Face 0 has the duplicates 50 (Training, another label) and 60 (Testing); face 1 has a hostile name.
    `NEAR_DUPLICATES` are mirrored or brighter copies of the first of them.
    """
    faces = np.stack([blob(seed) for seed in range(NUM_TRAINING + 10)])
    faces[50] = faces[60] = faces[0]
    for number, row in enumerate(NEAR_DUPLICATES[1:], start=1):
        faces[row] = faces[NEAR_DUPLICATES[0], :, :: (-1) ** number] // 2 + 10 * number
    original_splits = ["training"] * NUM_TRAINING + ["testing"] * 10
    labels = [EXPRESSIONS[number % 3] for number in range(len(faces))]
    manifest = manifest_of(faces, original_splits, labels)
    manifest.loc[1, "path"] = f"Training/Happy/{HOSTILE}.jpg"
    groups = np.arange(len(faces))
    groups[[50, 60]], groups[NEAR_DUPLICATES] = 0, NEAR_DUPLICATES[0]
    return manifest.assign(near_group=groups), faces


def queue(manifest: pd.DataFrame, *, number: int = NUM_SUSPECTS) -> pd.DataFrame:
    """Training faces as suspects, the lowest label quality first; `angry` suggested."""
    return (
        manifest[["path", "pixel_hash", "label"]]
        .head(number)
        .assign(
            suggested_label=["happy" if row == 0 else "angry" for row in range(number)],
            label_quality=np.linspace(0.01, 0.2, number),
            rank=np.arange(1, number + 1),
            issue_type=[ISSUE_TYPES[row % len(ISSUE_TYPES)] for row in range(number)],
        )
    )


def neighbors_of(suspects: pd.DataFrame, manifest: pd.DataFrame) -> pd.DataFrame:
    """The same neighbors for each suspect."""
    nearest = list(manifest["path"].iloc[NEIGHBOR_ROWS])
    return suspects[["path"]].assign(neighbors=[nearest] * len(suspects))


def audit_of(manifest: pd.DataFrame, *, number: int) -> pd.DataFrame:
    """The last Training faces as a sample, none of them decided; `angry` suggested."""
    faces = manifest[["path", "pixel_hash", "label"]].iloc[NUM_TRAINING - number : NUM_TRAINING]
    sample = faces.assign(suggested_label="angry", class_faces=20, weight=2.0, waits=True)
    return sample[list(AUDIT_COLUMNS)]


def make_workspace(
    folder: Path, *, number: int = NUM_SUSPECTS, num_audit: int = 0, **settings: Any
) -> Path:
    """Writes what the review app reads: `number` suspects, and `num_audit` faces of the audit.

    The `settings` are those of `review_app`.
    """
    manifest, faces = archive()
    suspects = queue(manifest, number=number)
    for part in ("data/faces", "data/review_queue", "data/split"):
        (folder / part).mkdir(parents=True)
    is_testing = manifest["original_split"] == "testing"
    splits = np.where(is_testing, "test", "train")
    assignments = manifest[["path", "near_group"]].assign(split=splits)
    assignments.to_parquet(folder / "data/split/assignments.parquet", index=False)
    manifest = manifest.drop(columns="near_group")
    manifest.to_parquet(folder / "data/faces/manifest.parquet", index=False)
    np.save(folder / "data/faces/pixels.npy", faces)
    suspects.to_csv(folder / "data/review_queue/suspects.csv", index=False)
    audit = audit_of(manifest, number=num_audit)
    audit.to_csv(folder / "data/review_queue/audit.csv", index=False)
    shown = pd.concat([suspects, audit])
    neighbors_of(shown, manifest).to_parquet(folder / "data/review_queue/neighbors.parquet")
    (folder / RELABELS).write_text(",".join(DECISION_COLUMNS) + "\n")
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": GRAPH}))
    sections = {
        "data": {"expressions": list(EXPRESSIONS)},
        "review_app": {"show_suggestion": False, **settings},
    }
    (folder / "params.yaml").write_text(yaml.safe_dump(sections))
    return folder


def standing(workspace: Path) -> dict[str, str]:
    """The decisions that stand in the file, by pixel hash, the latest last."""
    latest = latest_decisions(read_decisions(workspace / RELABELS, expressions=EXPRESSIONS))
    return dict(zip(latest["pixel_hash"], latest["decision"], strict=True))


NOBODY = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
}


@contextmanager
def running_review_app(
    workspace: Path, *words: str, in_new_process: bool = False, **changes: str
) -> Iterator[Served]:
    """A review app; `changes` are of the environment, in which git knows nobody."""
    with served(
        *("review", *words),
        folder=workspace,
        errors=None,
        in_new_process=in_new_process,
        **(NOBODY | changes),
    ) as review_app:
        yield review_app
