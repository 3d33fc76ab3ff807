import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from fer_data.core import tfrecord
from fer_data.core.errors import UserError
from fer_data.core.tables import write_table
from fer_data.stages.settings import SettingsError, read_settings
from fer_models.core.out_of_sample import read_cross_fitted
from fer_models.core.prediction import read_model
from fer_models.stacking.ensemble import EnsembleSettings, near_groups
from tests.support.models.ensemble_members import NAMES, call, predict_member, write_members
from tests.support.models.tiny_dataset import EXPRESSIONS, TRAINING_SETTINGS, write_tiny_records

PARAMS = Path(__file__).parents[3] / "params.yaml"
SETTINGS = {
    **TRAINING_SETTINGS,
    "members": list(NAMES),
    "head": "best",
    "stacking_l2": 1.0,
    "stacking_folds": 5,
    "epochs": 4,
    "optimizer": "adam",
    "learning_rate": 0.05,
    "monitor": "val_loss",
    "restore_best_weights": True,
    "patience": 3,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Records, members, and what these say."""
    folder = tmp_path_factory.mktemp("ensemble")
    write_tiny_records(folder / "records")
    write_members(folder / "models", *NAMES)
    for name in NAMES:
        assert predict_member(folder, name).returncode == 0
    paths = [f"{number:04d}.jpg" for number in range(240)]
    groups = pd.DataFrame({"path": paths, "near_group": range(240)})
    write_table(groups, folder / "assignments.parquet")
    (folder / "params.yaml").write_text(
        yaml.safe_dump({"checkpoints": {"resume": "continue"}, "ensemble": SETTINGS})
    )
    return folder


def train(folder: Path) -> subprocess.CompletedProcess[str]:
    return call(
        folder,
        "ensemble",
        records="records",
        assignments="assignments.parquet",
        member_predictions="member_predictions",
        members="models",
        checkpoints="checkpoints",
        model_folder="models/ensemble",
        report="report",
    )


@pytest.fixture(scope="module")
def trained(folder: Path) -> Path:
    finished = train(folder)
    assert finished.returncode == 0, finished.stderr
    return folder


def test_one_model_of_faces_beats_its_members(trained: Path) -> None:
    test = tfrecord.read_split(trained / "records", "test")
    accuracies = {}
    for name in ("ensemble", *NAMES):
        file = trained / "models" / name / "model.keras"
        predictions = read_model(file, expressions=EXPRESSIONS).predict(test.faces, verbose=0)
        assert predictions.shape == (len(test.labels), 3)
        accuracies[name] = (predictions.argmax(axis=1) == test.labels).mean()
    assert accuracies["ensemble"] >= max(accuracies[name] for name in NAMES)


def test_summary_tells_the_training_and_the_ways_to_combine(trained: Path) -> None:
    history = pd.read_csv(trained / "report" / "history.csv")
    summary = json.loads((trained / "report" / "summary.json").read_text())
    assert summary["title"] == "Frozen ensemble"
    assert summary["epochs"] == len(history)
    assert summary["saved_epoch"] == history["val_loss"].argmin() + 1
    assert (summary["train_faces"], summary["validation_faces"]) == (180, 30)
    assert summary["settings"] == SETTINGS
    assert summary["paper"]["accuracy"] == pytest.approx(0.7207)
    assert summary["paper"]["val_accuracy"] == pytest.approx(0.6672)
    found = summary["combinations"]
    assert list(found["members"]) == list(NAMES)
    kept = history.iloc[summary["saved_epoch"] - 1]
    assert found["ways"]["head"]["accuracy"] == pytest.approx(kept["val_accuracy"], abs=1e-6)
    assert found["ways"]["head"]["loss"] == pytest.approx(kept["val_loss"], abs=1e-4)


def test_the_way_of_the_lowest_loss_is_saved(trained: Path) -> None:
    found = json.loads((trained / "report" / "summary.json").read_text())["combinations"]
    assert list(found["ways"]) == ["mean", "calibrated_mean", "stacked", "head"]
    losses = {name: one["loss"] for name, one in found["ways"].items()}
    assert found["chosen"] == found["best_way"] == min(losses, key=lambda name: losses[name])
    assert (found["chosen_by"], found["folds"]) == ("best", 5)


def test_what_evaluate_chooses_by_is_out_of_sample(trained: Path) -> None:
    """It is measured as the page says, and is not what the saved model says of the same faces."""
    validation = tfrecord.read_split(trained / "records", "validation")
    file = trained / "models/ensemble/model.keras"
    predictions = read_cross_fitted(validation, model=file)
    assert predictions is not None
    found = json.loads((trained / "report" / "summary.json").read_text())["combinations"]
    chosen = found["ways"][found["chosen"]]
    assert (predictions.argmax(axis=1) == validation.labels).mean() == pytest.approx(
        chosen["accuracy"]
    )
    loss = -np.log(predictions[np.arange(len(predictions)), validation.labels]).mean()
    assert loss == pytest.approx(chosen["loss"], abs=1e-5)
    in_sample = read_model(file, expressions=EXPRESSIONS).predict(validation.faces, verbose=0)
    assert found["chosen"] != "mean"
    assert np.abs(in_sample - predictions).max() > 1e-4
    shutil.copyfile(trained / "models/resnet50/model.keras", file.with_name("other.keras"))
    with pytest.raises(UserError, match="`dvc repro ensemble` rebuilds it"):
        read_cross_fitted(validation, model=file.with_name("other.keras"))
    assert read_cross_fitted(validation, model=trained / "models/resnet50/model.keras") is None


def test_the_paper_s_head_can_be_chosen(trained: Path, tmp_path: Path) -> None:
    folder = tmp_path / "workspace"
    shutil.copytree(trained, folder)
    settings = {"checkpoints": {"resume": "continue"}, "ensemble": {**SETTINGS, "head": "head"}}
    (folder / "params.yaml").write_text(yaml.safe_dump(settings))
    finished = train(folder)
    assert finished.returncode == 0, finished.stderr
    found = json.loads((folder / "report" / "summary.json").read_text())["combinations"]
    assert (found["chosen"], found["chosen_by"]) == ("head", "head")
    validation = tfrecord.read_split(folder / "records", "validation")
    predictions = read_model(
        folder / "models/ensemble/model.keras", expressions=EXPRESSIONS
    ).predict(validation.faces, verbose=0)
    accuracy = (predictions.argmax(axis=1) == validation.labels).mean()
    assert found["ways"]["head"]["accuracy"] == pytest.approx(accuracy)
    loss = -np.log(predictions[np.arange(len(predictions)), validation.labels]).mean()
    assert found["ways"]["head"]["loss"] == pytest.approx(loss, abs=1e-5)


def test_training_twice_gives_the_same_bytes_and_keeps_no_checkpoint(trained: Path) -> None:
    file = trained / "models/ensemble/model.keras"
    table = file.with_name("validation.parquet")
    first = file.read_bytes(), table.read_bytes()
    assert train(trained).returncode == 0
    assert (file.read_bytes(), table.read_bytes()) == first
    assert [path.name for path in (trained / "checkpoints").iterdir()] == ["lock"]


def test_each_face_has_its_group_of_duplicates() -> None:
    assignments = pd.DataFrame({"path": ["a", "b", "c"], "near_group": [7, 7, 3]})
    assert near_groups(assignments, ["c", "a", "b"]).tolist() == [3, 7, 7]
    with pytest.raises(UserError, match=r"1 of 2 faces have no near_group in .*, such as d"):
        near_groups(assignments, ["a", "d"])


def damage_the_table(folder: Path) -> None:
    tables = folder / "member_predictions"
    shutil.copyfile(tables / "resnet50.parquet", tables / "mobilenetv2.parquet")


def remove_a_model(folder: Path) -> None:
    (folder / "models/mobilenetv2/model.keras").unlink()


def write_more_records(folder: Path) -> None:
    shutil.rmtree(folder / "records")
    write_tiny_records(folder / "records", num_faces=320)


@pytest.mark.parametrize(
    ("damage", "line"),
    [
        (
            damage_the_table,
            "error: member_predictions/mobilenetv2.parquet was made by another version of "
            "models/mobilenetv2/model.keras: `dvc repro member_predictions@mobilenetv2` rebuilds it",
        ),
        (
            remove_a_model,
            "error: models/mobilenetv2/model.keras is missing: `dvc repro train@mobilenetv2` makes "
            "it, `dvc pull` fetches it",
        ),
        (
            write_more_records,
            "error: member_predictions/resnet50.parquet was made from other records: it has 180 "
            "faces of the split 'train', the records have 240; "
            "`dvc repro member_predictions@resnet50` rebuilds it",
        ),
    ],
)
def test_what_does_not_belong_together_is_one_line_and_changes_nothing(
    trained: Path, tmp_path: Path, damage: Any, line: str
) -> None:
    folder = tmp_path / "workspace"
    shutil.copytree(trained, folder)
    before = (folder / "models/ensemble/model.keras").read_bytes()
    damage(folder)
    finished = train(folder)
    assert finished.returncode == 1
    assert finished.stderr.splitlines()[-1] == line
    assert "Traceback" not in finished.stderr
    assert (folder / "models/ensemble/model.keras").read_bytes() == before
    assert (folder / "report/summary.json").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"members": ["resnet50"]},
            r"'ensemble\.members': got \['resnet50'\]: .* at least 2 items",
        ),
        ({"members": ["resnet50"] * 2}, r"'ensemble\.members': got .* every member once"),
        (
            {"members": ["resnet50", "vgg"]},
            r"'ensemble\.members': got .* no model 'vgg' in the zoo: expected two or more of scratch, ",
        ),
        (
            {"augmentation": {**TRAINING_SETTINGS["augmentation"], "horizontal_flip": True}},
            r"'ensemble\.augmentation': got .* must be off: the head learns from outputs",
        ),
        (
            {"augmentation": {**TRAINING_SETTINGS["augmentation"], "salt_and_pepper_copies": True}},
            r"'ensemble\.augmentation': got .* needs a salt_and_pepper_fraction above 0",
        ),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, change: dict, message: str) -> None:
    file = tmp_path / "params.yaml"
    file.write_text(yaml.safe_dump({"ensemble": {**SETTINGS, **change}}))
    with pytest.raises(SettingsError, match=message):
        read_settings(EnsembleSettings, "ensemble", file=file)


def test_the_committed_settings_are_the_paper_s() -> None:
    settings = read_settings(EnsembleSettings, "ensemble", file=PARAMS)
    assert settings.members == ("resnet50", "mobilenetv2", "inceptionv3")
    assert (settings.optimizer, settings.epochs, settings.patience) == ("adam", 10, 3)
    assert (settings.monitor, settings.restore_best_weights) == ("val_loss", True)
