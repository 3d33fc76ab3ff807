import json
import re
import shutil
import subprocess
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
import yaml

from fer_data.core import tfrecord
from fer_models.networks import scratch
from fer_models.networks.registry import ZOO
from fer_models.training.checkpoints import Checkpoints
from fer_models.training.samples import Samples
from fer_models.training.train import samples_of
from fer_models.training.trainer import fit
from tests.support.models.tiny_dataset import TRAINING_SETTINGS, write_tiny_records
from tests.support.warm.programs import warm_programs

ROOT = Path(__file__).parents[3]
SETTINGS = {
    "filters": [4, 8, 8],
    "dense_units": 16,
    "dropout": 0.1,
    "l2": 0.001,
    **TRAINING_SETTINGS,
}
TAUGHT = {
    **TRAINING_SETTINGS,
    "filters": [4, 8],
    "average_flip": False,
    "dropout": 0.0,
    "teacher_weight": 4.0,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("train")
    write_tiny_records(folder / "records")
    (folder / "params.yaml").write_text(
        yaml.safe_dump(
            {
                "checkpoints": {"resume": "continue"},
                "models": {"scratch": SETTINGS, "tiny": TAUGHT},
            }
        )
    )
    return folder


def train(
    folder: Path, name: str, *, model: str = "scratch", starts_from: str = "weights"
) -> subprocess.CompletedProcess[str]:
    flags = ("--records", "records", "--model", model, "--checkpoints", f"{name}/checkpoints")
    outputs = ("--model-folder", f"{name}/model", "--report", f"{name}/report")
    flags = (*flags, "--starts-from", starts_from)
    return subprocess.run(
        [warm_programs() / "python", "-m", "fer_models.training.train", *flags, *outputs],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def trained(folder: Path) -> Path:
    finished = train(folder, "first")
    assert finished.returncode == 0, finished.stderr
    return folder / "first"


def test_the_network_learns(folder: Path, trained: Path) -> None:
    model = keras.models.load_model(trained / "model" / "model.keras")
    test = tfrecord.read_split(folder / "records", "test")
    predictions = model.predict(test.faces, verbose=0).argmax(axis=1)
    assert (predictions == test.labels).mean() > 0.8


def test_history_and_summary_tell_the_training(trained: Path) -> None:
    history = pd.read_csv(trained / "report" / "history.csv")
    columns = ["epoch", "accuracy", "loss", "val_accuracy", "val_loss", "seconds"]
    assert list(history.columns) == columns
    assert list(history["epoch"]) == [1, 2, 3, 4, 5]
    assert history["loss"].iloc[-1] < history["loss"].iloc[0]
    summary = json.loads((trained / "report" / "summary.json").read_text())
    assert summary["saved_epoch"] == 5
    assert summary["train_faces"] == 180
    assert summary["training"]["loss"] == pytest.approx(history["loss"].iloc[-1])
    assert summary["paper"]["val_accuracy"] == pytest.approx(0.5776)
    assert summary["settings"] == SETTINGS


def test_dvclive_and_tensorboard_are_logged(trained: Path) -> None:
    live = pd.read_csv(trained / "report" / "dvclive" / "plots" / "metrics" / "loss.tsv", sep="\t")
    assert len(live) == 5
    assert list((trained / "report" / "tensorboard").rglob("events.out.tfevents.*"))


def test_training_twice_gives_the_same_bytes(folder: Path, trained: Path) -> None:
    assert train(folder, "second").returncode == 0
    first, second = (run / "model" / "model.keras" for run in (trained, folder / "second"))
    assert first.read_bytes() == second.read_bytes()


def test_a_repeat_is_trained_with_the_next_seed(folder: Path, trained: Path) -> None:
    finished = train(folder, "repeat", model="scratch_1")
    assert finished.returncode == 0, finished.stderr
    summary = json.loads((folder / "repeat/report/summary.json").read_text())
    assert summary["title"] == "Eleven-layer CNN from scratch, repeat 1"
    assert summary["settings"] == {**SETTINGS, "seed": SETTINGS["seed"] + 1}
    first, repeat = (run / "model/model.keras" for run in (trained, folder / "repeat"))
    assert first.read_bytes() != repeat.read_bytes()


def test_a_training_that_diverges_is_one_line_and_saves_nothing(
    folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(folder / "records", tmp_path / "records")
    diverging = {"models": {"scratch": {**SETTINGS, "optimizer": "sgd", "learning_rate": 1.0}}}
    diverging["models"]["scratch"]["l2"] = 1e30
    (tmp_path / "params.yaml").write_text(
        yaml.safe_dump({"checkpoints": {"resume": "continue"}, **diverging})
    )
    finished = train(tmp_path, "none")
    assert finished.returncode == 1
    last = finished.stderr.splitlines()[-1]
    assert re.fullmatch(
        r"error: training diverged in epoch 1: \w+ is (nan|inf), expected a number; lower the model's "
        r"`learning_rate` in params\.yaml",
        last,
    )
    assert not (tmp_path / "none" / "model").exists()
    assert not (tmp_path / "none" / "report").exists()
    assert not list((tmp_path / "none" / "checkpoints").glob("*/epoch-*"))


def test_a_model_is_taught_by_the_one_that_it_starts_from(folder: Path, trained: Path) -> None:
    finished = train(folder, "taught", model="tiny", starts_from="first/model")
    assert finished.returncode == 0, finished.stderr
    pupil, teacher = (
        keras.models.load_model(run / "model" / "model.keras")
        for run in (folder / "taught", trained)
    )
    faces = tfrecord.read_split(folder / "records", "test").faces
    assert np.abs(pupil.predict(faces, verbose=0) - teacher.predict(faces, verbose=0)).mean() < 0.2
    assert pupil.count_params() < 3000
    summary = json.loads((folder / "taught/report/summary.json").read_text())
    assert summary["teacher"] == "model"  # the name of the folder


def test_a_teacher_that_is_missing_is_one_line(folder: Path) -> None:
    finished = train(folder, "alone", model="tiny")
    assert finished.returncode == 1
    assert finished.stderr.splitlines()[-1] == (
        "error: models.tiny.teacher_weight is 4, and weights holds no model.keras: expected "
        "pipeline.models.tiny.starts_from to be the folder of a trained model, such as models/compact"
    )
    assert not (folder / "alone").exists()


def test_an_unknown_model_is_one_line(folder: Path) -> None:
    finished = train(folder, "none", model="vgg")
    assert finished.returncode == 1
    assert finished.stderr.splitlines()[-1] == (
        f"error: no model 'vgg' in the zoo: expected one of {', '.join(ZOO)}"
    )
    assert not (folder / "none").exists()


def test_a_damaged_setting_is_one_line_and_leaves_nothing(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "records", tmp_path / "records")
    damaged = {
        "checkpoints": {"resume": "continue"},
        "models": {"scratch": {**SETTINGS, "dropuot": 0.5}},
    }
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(damaged))
    finished = train(tmp_path, "none")
    assert finished.returncode == 1
    assert finished.stderr.splitlines()[-1] == (
        "error: params.yaml: 'models.scratch.dropuot' is not a setting: misspelt?"
    )
    assert not (tmp_path / "none").exists()


def test_the_best_epoch_is_kept_by_validation(folder: Path, tmp_path: Path) -> None:
    settings = scratch.ModelSettings.model_validate_json(
        json.dumps({**SETTINGS, "restore_best_weights": True, "epochs": 6})
    )
    keras.utils.set_random_seed(3)
    model = scratch.build_model(settings, 3)
    train, validation = (samples_of(folder / "records", split) for split in ("train", "validation"))
    noise = np.random.default_rng(0).permutation(train.labels)  # so that the epochs differ
    train = Samples(train.inputs, noise, train.weights)
    checkpoints = Checkpoints(tmp_path)
    history = fit(
        model, train, validation, settings=settings, logs=tmp_path, checkpoints=checkpoints
    )
    predictions = model.predict(validation.inputs, verbose=0).argmax(axis=1)
    accuracy = np.mean(predictions == validation.labels)
    assert accuracy == pytest.approx(history["val_accuracy"].max(), abs=1e-6)
    assert history["val_accuracy"].max() > history["val_accuracy"].iloc[-1]


def test_weights_of_the_examples_count(folder: Path, tmp_path: Path) -> None:
    """Faces with no weight are not learned from: only one class is predicted."""
    settings = scratch.ModelSettings.model_validate_json(json.dumps(SETTINGS))
    train, validation = (samples_of(folder / "records", split) for split in ("train", "validation"))
    weighted = Samples(train.inputs, train.labels, (train.labels == 2).astype(np.float32))
    model = scratch.build_model(settings, 3)
    fit(
        model,
        weighted,
        validation,
        settings=settings,
        logs=tmp_path,
        checkpoints=Checkpoints(tmp_path),
    )
    assert set(model.predict(validation.inputs, verbose=0).argmax(axis=1)) == {2}
