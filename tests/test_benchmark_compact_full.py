"""The last fit of `compact`: it learns `validation` too, and states no figure of it."""

import dataclasses
import hashlib
import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from benchmarks import compact_full
from benchmarks.trainings import read_faces, training_settings_of
from fer_data.core import tfrecord
from fer_data.core.errors import UserError
from fer_data.core.schema import LABEL_QUALITY, LEAK, PATH, SPLIT, TEST, VALIDATION
from fer_data.core.tables import write_table
from fer_models.calibration.temperature_scaling import fit_temperature
from fer_models.core.prediction import read_model
from fer_models.inference.model_store import open_model_store
from fer_models.training.samples import Samples
from tests.support.models.evaluation_inputs import SECTION, save_tiny_model
from tests.support.models.tiny_dataset import EXPRESSIONS, TRAINING_SETTINGS, write_tiny_records

ROOT = Path(__file__).parent.parent
OF_COMPACT = {
    "filters": [4, 8],
    "residual": True,
    "dropout": 0.0,
    "average_flip": True,
    "epochs": 2,
}


def make_workspace(folder: Path, **changes: Any) -> Path:
    """A workspace of banded faces whose `compact` stands in for one that was trained."""
    shutil.copyfile(ROOT / "dvc.yaml", folder / "dvc.yaml")
    project = yaml.safe_load((ROOT / "params.yaml").read_text())
    params = {
        "pipeline": project["pipeline"],
        "report": project["report"],
        "data": {"expressions": list(EXPRESSIONS)},
        "evaluate": SECTION,
        "training": TRAINING_SETTINGS,
        "models": {**project["models"], "compact": {**OF_COMPACT, **changes}},
    }
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    (folder / "data/split").mkdir(parents=True)
    (folder / "data/mislabels").mkdir()
    write_tiny_records(folder / "data/tfrecords")
    paths = tfrecord.read_split(folder / "data/tfrecords", TEST).paths
    write_table(
        pd.DataFrame({PATH: paths, LEAK: "", SPLIT: TEST}),
        folder / "data/split/assignments.parquet",
    )
    rated = pd.DataFrame({PATH: paths, LABEL_QUALITY: np.linspace(0, 1, len(paths))})
    write_table(rated, folder / "data/mislabels/testing_quality.parquet")
    save_tiny_model(folder / "models/compact/model.keras", expressions=EXPRESSIONS)
    return folder


def test_it_learns_all_and_takes_its_temperature_from_faces_that_nobody_learned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(make_workspace(tmp_path))
    monkeypatch.setattr("sys.argv", ["compact_full", "--bundle", "full.zip"])
    compact_full.main()
    assert "`test` " in capsys.readouterr().out
    with zipfile.ZipFile("full.zip") as bundle:
        metrics, summary = (
            json.loads(bundle.read(f"models/compact_full/{name}.json"))
            for name in ("metrics", "summary")
        )
        card = bundle.read("models/compact_full/model_card.md").decode()
    assert VALIDATION not in metrics
    assert metrics[TEST]["faces"] == summary["train_faces"] // 7 == 30
    examples = tfrecord.read_split(Path("data/tfrecords"), VALIDATION)
    held_out = read_model(Path("models/compact/model.keras"), expressions=EXPRESSIONS)
    probabilities = held_out.predict(examples.faces, verbose=0)
    expected = fit_temperature(np.log(np.maximum(probabilities, 1e-7)), examples.labels)
    assert metrics["calibration"]["temperature"] == pytest.approx(expected, rel=1e-3)
    records = sorted(Path("data/tfrecords").glob("*-train.*")) + sorted(
        Path("data/tfrecords").glob("*-validation.*")
    )
    learned = hashlib.sha256(b"".join(file.read_bytes() for file in records)).hexdigest()
    assert f"ferflow-validation.tfrecord-* | sha256sum`: `{learned}`" in card
    assert "- 210 faces of the splits `train` and `validation`: a last fit" in card
    assert (
        "fitted on what `compact`, which was trained alike without them, predicts for the 30"
        in card
    )
    assert "on which the saved epoch may have been chosen" not in card
    store = open_model_store(bundle=Path("full.zip"))
    assert store.default() == "compact_full"
    assert store.error("compact_full") is None


def test_it_is_another_network_than_without_validation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(make_workspace(tmp_path))
    faces = read_faces()
    settings = training_settings_of("compact")
    full, *_ = compact_full.fit_on_both(settings, faces)
    assert len(faces.train.labels) == 180  # what it was given is unchanged
    alone = compact_full.trained("compact", settings, faces)
    asked = faces.validation.inputs[:8]
    assert not np.allclose(full.predict(asked, verbose=0), alone.predict(asked, verbose=0))


def test_soft_labels_are_refused_and_not_dropped() -> None:
    hard = Samples(np.zeros((2, 48, 48, 1)), np.array([0, 1]), np.ones(2))
    with pytest.raises(UserError, match="the records have soft labels"):
        compact_full.joined(dataclasses.replace(hard, shares=np.eye(2)), hard)
    assert len(compact_full.joined(hard, hard).labels) == 4


@pytest.mark.parametrize("changes", [{"patience": 3}, {"restore_best_weights": True}])
def test_settings_that_choose_an_epoch_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    monkeypatch.chdir(make_workspace(tmp_path, **changes))
    monkeypatch.setattr("sys.argv", ["compact_full", "--bundle", "full.zip"])
    with pytest.raises(UserError, match="chooses an epoch on `validation`"):
        compact_full.main()
    assert not Path("full.zip").exists()
