import json
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fer_data.annotation.decision_writer import Decision, append_decisions
from fer_data.core.errors import UserError
from fer_data.core.schema import DECISION_COLUMNS
from fer_data.core.tables import probabilities_of, read_table, write_table
from fer_models.core.training_settings import SmallFacesSettings
from fer_models.cross_validation import crossval
from fer_models.cross_validation.crossval import CrossvalSettings, predict_fold
from fer_models.cross_validation.neighbors import NUM_NEIGHBORS
from fer_models.training.checkpoints import Checkpoint, Checkpoints
from tests.support.models.tiny_dataset import EXPRESSIONS, TRAINING_SETTINGS, banded_faces

TINY = {
    **TRAINING_SETTINGS,
    "filters": [4, 8],
    "residual": False,
    "dropout": 0.1,
    "epochs": 8,
    "optimizer": "adam",
    "learning_rate": 0.01,
    "label_smoothing": 0.1,
    "augmentation": {**TRAINING_SETTINGS["augmentation"], "translation_fraction": 0.02},
    "small_faces": {"size": 24, "epochs": 3},
    "num_networks": 1,
    "calibration_fraction": 0.2,
}
SETTINGS = CrossvalSettings.model_validate_json(json.dumps(TINY))


class KilledError(Exception):
    """In place of SIGKILL."""


@dataclass(frozen=True)
class Recorded(Checkpoints):
    """Checkpoints of a training that is killed once it has written some."""

    saved: list[str] = field(default_factory=list)
    """The network and the epoch of each."""
    most: int = 99

    def save(self, checkpoint: Checkpoint) -> None:
        super().save(checkpoint)
        self.saved.append(f"{self.folder.name}/{checkpoint.epoch}")
        if len(self.saved) == self.most:
            raise KilledError


@pytest.fixture(scope="module")
def data() -> tuple[pd.DataFrame, np.ndarray]:
    """240 faces: three folds of Training, every tenth face excluded, the last 30 Testing."""
    faces, labels = banded_faces(240)
    fold = np.arange(240) % 3
    fold[-30:] = -1
    split = np.where(np.arange(240) % 10 == 0, "excluded", "train").astype(object)
    split[-30:] = "test"
    assignments = pd.DataFrame(
        {
            "path": [f"{number:03d}.jpg" for number in range(240)],
            "pixel_hash": [f"hash{number}" for number in range(240)],
            "near_group": np.arange(240),
            "original_split": np.where(fold < 0, "testing", "training"),
            "label": np.array(EXPRESSIONS, dtype=object)[labels],
            "split": split,
            "fold": fold,
        }
    )
    return assignments, faces


def score(
    assignments: pd.DataFrame,
    faces: np.ndarray,
    fold: int = 1,
    checkpoints: Checkpoints | None = None,
    **changes: object,
) -> pd.DataFrame:
    with tempfile.TemporaryDirectory() as folder:
        return predict_fold(
            *(assignments, faces),
            fold=fold,
            settings=SETTINGS.model_copy(update=changes),
            expressions=EXPRESSIONS,
            checkpoints=checkpoints or Checkpoints(Path(folder)),
        )


@pytest.fixture(scope="module")
def scored(data) -> pd.DataFrame:
    """Fold 1, scored as the settings say. Not to be changed."""
    return score(*data)


def test_a_fold_and_the_testing_faces_are_scored_well(data, scored) -> None:
    assignments, _ = data
    expected = assignments[
        (assignments["fold"] == 1) | (assignments["original_split"] == "testing")
    ]
    assert list(scored["path"]) == list(expected["path"])
    assert (scored["fold"] == 1).all()
    probabilities = probabilities_of(scored)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    predictions = np.array(EXPRESSIONS)[probabilities.argmax(axis=1)]
    assert (predictions == expected["label"].to_numpy()).mean() > 0.8


def test_neighbors_are_faces_that_the_networks_learned_from(data, scored) -> None:
    rows = data[0].set_index("path")
    for path, neighbors in zip(scored["path"], scored["neighbors"], strict=True):
        if rows.loc[path, "original_split"] == "testing":
            assert neighbors is None
            continue
        assert len(set(neighbors)) == NUM_NEIGHBORS
        nearby = rows.loc[list(neighbors)]
        assert set(nearby["fold"]) <= {0, 2}
        assert (nearby["split"] == "train").all()
    training = scored[scored["original_split"] == "training"]
    agree = [
        (rows.loc[list(near), "label"] == rows.loc[path, "label"]).mean()
        for path, near in zip(training["path"], training["neighbors"], strict=True)
    ]
    assert np.mean(agree) > 0.6  # by chance: a third


def test_several_networks_are_averaged(data, scored) -> None:
    one, two = (probabilities_of(them) for them in (scored, score(*data, num_networks=2)))
    assert np.abs(one - two).max() > 0.01
    np.testing.assert_allclose(two.sum(axis=1), 1, rtol=1e-5)


def test_the_same_seed_gives_the_same_probabilities(data, scored) -> None:
    np.testing.assert_array_equal(probabilities_of(score(*data)), probabilities_of(scored))


def test_a_killed_fold_ends_as_if_it_never_was(data, tmp_path: Path) -> None:
    changes = {"num_networks": 2, "epochs": 3, "small_faces": SmallFacesSettings(size=24, epochs=1)}
    expected = score(*data, **changes)
    with pytest.raises(KilledError):
        score(*data, checkpoints=Recorded(tmp_path, most=4), **changes)
    again = Recorded(tmp_path)
    pd.testing.assert_frame_equal(score(*data, checkpoints=again, **changes), expected)
    assert again.saved == ["1/2", "1/3"]  # the first network was trained


@pytest.mark.parametrize("unseen", ["the fold", "excluded faces", "testing faces"])
def test_labels_of_unseen_faces_change_nothing(data, scored, unseen: str) -> None:
    assignments, faces = data
    rows = {
        "the fold": assignments["fold"] == 1,
        "excluded faces": assignments["split"] == "excluded",
        "testing faces": assignments["original_split"] == "testing",
    }[unseen]
    changed = assignments.assign(label=assignments["label"].where(~rows, "sad"))
    assert (changed["label"] != assignments["label"]).any()
    np.testing.assert_array_equal(probabilities_of(score(changed, faces)), probabilities_of(scored))


def test_labels_of_seen_faces_matter(data, scored) -> None:
    assignments, faces = data
    changed = assignments.assign(label=assignments["label"].where(assignments["fold"] != 0, "sad"))
    found = probabilities_of(score(changed, faces))
    assert np.abs(found - probabilities_of(scored)).max() > 0.01


def test_a_fold_that_no_face_has_is_named(data) -> None:
    with pytest.raises(UserError, match=r"no face is in fold 7 \(folds: 0 to 2\)"):
        score(*data, fold=7)


@pytest.fixture
def stage(data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Runs the stage on fold 1 with the decisions it is given; gives what it wrote."""
    assignments, faces = data
    hashes = assignments.assign(pixel_hash=[f"{number:064x}" for number in range(len(faces))])
    columns = ["path", "pixel_hash"]
    write_table(hashes[[*columns, "original_split", "label"]], tmp_path / "manifest.parquet")
    write_table(hashes[[*columns, "near_group", "split", "fold"]], tmp_path / "assignments.parquet")
    np.save(tmp_path / "pixels.npy", faces)
    params = {"data": {"expressions": EXPRESSIONS}, "training": TRAINING_SETTINGS, "crossval": TINY}
    params["checkpoints"] = {"resume": "exact"}
    (tmp_path / "params.yaml").write_text(json.dumps(params))
    monkeypatch.chdir(tmp_path)
    flags = (
        "--manifest manifest.parquet --pixels pixels.npy --assignments assignments.parquet "
        "--decisions relabels.csv --checkpoints checkpoints --probabilities fold.parquet --fold 1"
    )
    monkeypatch.setattr(sys, "argv", ["crossval", *flags.split()])

    def run(rows: pd.Series, decision: str) -> pd.DataFrame:
        file = tmp_path / "relabels.csv"
        file.write_text(",".join(DECISION_COLUMNS) + "\n")
        made = [
            Decision(pixel_hash, "happy", decision, "ann", "2026-01-31T10:00:00Z")
            for pixel_hash in hashes.loc[rows, "pixel_hash"]
        ]
        append_decisions(file, made, expressions=EXPRESSIONS)
        crossval.main()
        return read_table(tmp_path / "fold.parquet")

    return run


def test_what_split_drew_as_test_is_testing(data, stage, tmp_path, monkeypatch) -> None:
    assignments, _ = data
    whole = read_table(tmp_path / "manifest.parquet")
    write_table(whole.assign(original_split="training"), tmp_path / "manifest.parquet")
    seen: list[pd.DataFrame] = []

    def predict_fold(rows: pd.DataFrame, *_: object, **__: object) -> pd.DataFrame:
        seen.append(rows)
        return rows[["path"]]

    monkeypatch.setattr(crossval, "predict_fold", predict_fold)
    stage(assignments["fold"] == 99, "sad")
    (rows,) = seen
    assert list(rows["original_split"]) == list(assignments["original_split"])


def test_accepted_decisions_teach_and_are_scored_but_never_testing_s(data, stage) -> None:
    assignments, _ = data
    none = stage(assignments["fold"] == 99, "sad")
    unseen = stage(
        (assignments["fold"] == 1) | (assignments["original_split"] == "testing"), "drop"
    )
    pd.testing.assert_frame_equal(unseen, none)
    seen = (assignments["fold"] == 0) & (assignments.index < 60)
    for decision in ("sad", "drop"):
        taught = stage(seen, decision)
        assert list(taught["path"]) == list(none["path"])
        assert (probabilities_of(taught) != probabilities_of(none)).any()
        neighbors = {path for near in taught["neighbors"].dropna() for path in near}
        assert bool(neighbors & set(assignments.loc[seen, "path"])) == (decision == "sad")


def test_a_stage_that_ends_early_trains_no_epoch_twice(data, stage, monkeypatch, caplog) -> None:
    def write_table(*_: object, **__: object) -> None:
        raise OSError("no space left")

    caplog.set_level("INFO")
    no_faces = data[0]["fold"] == 99
    whole = crossval.write_table
    monkeypatch.setattr(crossval, "write_table", write_table)
    with pytest.raises(OSError, match="no space left"):
        stage(no_faces, "sad")
    monkeypatch.setattr(crossval, "write_table", whole)
    assert caplog.text.count("epoch 1 of 8") == 1
    stage(no_faces, "sad")
    assert caplog.text.count("epoch 1 of 8") == 1
    assert [path.name for path in Path("checkpoints").iterdir()] == ["lock"]
    stage(data[0]["fold"] == 0, "drop")  # other data, another training
    assert caplog.text.count("epoch 1 of 8") == 2


def test_accepted_decisions_of_a_retired_expression_teach_nothing(
    data, stage, tmp_path: Path, monkeypatch
) -> None:
    assignments, _ = data
    learned: list[pd.DataFrame] = []

    def predict_fold(given: pd.DataFrame, *_: object, **__: object) -> pd.DataFrame:
        learned.append(given)
        raise UserError("enough")

    monkeypatch.setattr(crossval, "predict_fold", predict_fold)
    params = json.loads((tmp_path / "params.yaml").read_text())
    kept = [name for name in EXPRESSIONS if name != "sad"]
    params["data"] = {"expressions": [*kept, "fear"], "retired_expressions": ["sad"]}
    (tmp_path / "params.yaml").write_text(json.dumps(params))
    with pytest.raises(UserError, match="enough"):
        stage(assignments.index < 3, "sad")
    assert list(learned[0]["label"]) == list(assignments["label"])
    assert learned[0]["decision"].isna().all()
