"""A training that is killed and started again ends as one that never was."""

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from tests.support.models.tiny_dataset import TRAINING_SETTINGS, write_tiny_records
from tests.support.warm.programs import kill, warm_programs

ROOT = Path(__file__).parents[3]
SETTINGS = {
    **TRAINING_SETTINGS,
    "filters": [4, 8, 8],
    "dense_units": 16,
    "dropout": 0.3,
    "l2": 0.001,
    "epochs": 6,
    "optimizer": "adam",
    "schedule": "cosine",
    "warmup_fraction": 0.2,
    "monitor": "val_loss",
    "restore_best_weights": True,
    "patience": 4,
    "augmentation": {
        "horizontal_flip": True,
        "rotation_degrees": 10.0,
        "translation_fraction": 0.1,
        "zoom_fraction": 0.1,
        "contrast_fraction": 0.2,
        "random_erasing_fraction": 0.3,
        "salt_and_pepper_fraction": 0.1,
        "salt_and_pepper_copies": False,
    },
}
WORDS = [
    *("-m", "fer_models.training.train", "--records", "records", "--model", "scratch"),
    *(
        "--starts-from",
        "weights",
        "--checkpoints",
        "checkpoints",
        "--model-folder",
        "model",
        "--report",
        "report",
    ),
]


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("resume") / "records"
    write_tiny_records(folder, num_faces=1200)
    return folder


def prepare(
    folder: Path, records: Path, *, resume: str = "continue", settings: dict[str, Any] = SETTINGS
) -> None:
    if not (folder / "records").exists():
        (folder / "records").symlink_to(records)
    params = {"checkpoints": {"resume": resume}, "models": {"scratch": settings}}
    (folder / "params.yaml").write_text(yaml.safe_dump(params))


def start(folder: Path, **variables: str) -> subprocess.Popen[str]:
    environment = {"PYTHONPATH": str(ROOT), "PATH": "", **variables}
    command = [warm_programs() / "python", *WORDS]
    return subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen[str]) -> str:
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return errors


def wait_for(process: subprocess.Popen[str], epoch: int, checkpoints: Path) -> None:
    deadline = time.monotonic() + 300
    while not list(checkpoints.glob(f"*/epoch-{epoch:04d}.npz")):
        assert process.poll() is None, "it ended before that epoch"
        assert time.monotonic() < deadline
        time.sleep(0.002)


def kill_after(process: subprocess.Popen[str], epoch: int, checkpoints: Path) -> None:
    """Kills a training in the middle of the epoch after `epoch`."""
    try:
        wait_for(process, epoch, checkpoints)
    finally:
        kill(process)


@pytest.fixture(scope="module")
def uninterrupted(records: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("uninterrupted")
    prepare(folder, records)
    finish(start(folder))
    return results(folder)


def results(folder: Path) -> dict[str, Any]:
    summary = json.loads((folder / "report" / "summary.json").read_text())
    summary.pop("seconds")
    curve = folder / "report" / "dvclive" / "plots" / "metrics" / "val_loss.tsv"
    return {
        "model": (folder / "model" / "model.keras").read_bytes(),
        "history": pd.read_csv(folder / "report" / "history.csv").drop(columns="seconds").to_csv(),
        "dvclive": pd.read_csv(curve, sep="\t")["val_loss"].tolist(),
        "summary": summary,
    }


def test_killed_twice_and_damaged_once_it_ends_as_if_never_interrupted(
    records: Path, uninterrupted: dict[str, Any], tmp_path: Path
) -> None:
    prepare(tmp_path, records)
    checkpoints = tmp_path / "checkpoints"
    kill_after(start(tmp_path), 1, checkpoints)
    kill_after(start(tmp_path), 4, checkpoints)
    assert not (tmp_path / "report").exists()
    newest = max(checkpoints.glob("*/epoch-*.npz"))
    data = newest.read_bytes()
    newest.write_bytes(data[: len(data) // 3])
    errors = finish(start(tmp_path))
    assert f"{newest.name} is damaged" in errors
    assert f"epoch {len(uninterrupted['dvclive'])} of 6" in errors
    assert "epoch 1 of 6" not in errors
    assert results(tmp_path) == uninterrupted
    assert "resumed" not in uninterrupted["summary"]
    assert [path.name for path in checkpoints.iterdir()] == ["lock"]


def test_other_threads_go_on_and_say_so_or_are_refused(records: Path, tmp_path: Path) -> None:
    prepare(tmp_path, records, resume="exact", settings={**SETTINGS, "epochs": 3})
    checkpoints = tmp_path / "checkpoints"
    kill_after(start(tmp_path, TF_NUM_INTRAOP_THREADS="1"), 1, checkpoints)
    refused = start(tmp_path, TF_NUM_INTRAOP_THREADS="2")
    _, errors = refused.communicate(timeout=300)
    assert refused.returncode == 1
    assert errors.splitlines()[-1].startswith("error: checkpoints/")
    assert "was begun under other conditions (intra-op threads 1 before, 2 now)" in errors
    assert list(checkpoints.glob("*/epoch-*.npz"))
    prepare(tmp_path, records, settings={**SETTINGS, "epochs": 3})
    errors = finish(start(tmp_path, TF_NUM_INTRAOP_THREADS="2"))
    words = "under other conditions (intra-op threads 1 before, 2 now): not repeatable to the bit"
    assert words in errors
    (resumed,) = results(tmp_path)["summary"]["resumed"]
    assert resumed["differences"] == "intra-op threads 1 before, 2 now"


def test_other_settings_start_anew(records: Path, tmp_path: Path) -> None:
    prepare(tmp_path, records)
    kill_after(start(tmp_path), 2, tmp_path / "checkpoints")
    changed = {**SETTINGS, "dropout": 0.2, "epochs": 1}
    prepare(tmp_path, records, settings=changed)
    assert "epoch 1 of 1" in finish(start(tmp_path))


def test_an_edit_meanwhile_ends_it_early_and_loses_nothing_if_taken_back(
    records: Path, uninterrupted: dict[str, Any], tmp_path: Path
) -> None:
    prepare(tmp_path, records)
    graph = {"train": {"foreach": ["scratch"], "do": {"params": ["models.${item}"]}}}
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump({"stages": graph}))
    before = (tmp_path / "params.yaml").read_text()
    process = start(tmp_path, DVC_STAGE="train@scratch")
    wait_for(process, 1, tmp_path / "checkpoints")
    (tmp_path / "params.yaml").write_text(before.replace("l2: 0.001", "l2: 0.002"))
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 1
    assert "error: params.yaml: models.scratch changed while 'train@scratch' ran" in errors
    assert "epoch 6 of 6" not in errors
    assert not (tmp_path / "model").exists()
    (tmp_path / "params.yaml").write_text(before)
    assert "epoch 1 of 6" not in finish(start(tmp_path, DVC_STAGE="train@scratch"))
    assert results(tmp_path) == uninterrupted
