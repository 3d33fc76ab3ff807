import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fer_data.core.errors import UserError
from fer_data.core.schema import NO_FOLD
from fer_data.core.tables import probabilities_of, read_table, with_probabilities, write_table
from fer_data.label_quality import mislabels
from fer_data.label_quality.mislabels import MislabelsSettings, out_of_sample, rank_labels
from tests.support.command_words import words_of
from tests.support.data.manifests import EXPRESSIONS, plain_manifest

RANKING = MislabelsSettings(
    method="odds",
    duplicate_reliability=0.7,
    clear_ratio=2.0,
    min_outlier_score=8.0,
)


def confident_in(labels: pd.Series) -> np.ndarray:
    """Probabilities that favour the labels, each by a little different margin."""
    numbers = labels.map({name: number for number, name in enumerate(EXPRESSIONS)}).to_numpy()
    probabilities = np.full((len(labels), 3), 0.1)
    probabilities[np.arange(len(labels)), numbers] = np.linspace(0.6, 0.9, len(labels))
    return (probabilities / probabilities.sum(axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture
def faces() -> pd.DataFrame:
    """120 Training faces, none the duplicate of another."""
    manifest, _ = plain_manifest()
    training = manifest[manifest["original_split"] == "training"].reset_index(drop=True)
    return training.assign(near_group=np.arange(len(training)))


def ranked_by(faces: pd.DataFrame, probabilities: np.ndarray, **changes: object) -> pd.DataFrame:
    settings = RANKING.model_copy(update=changes)
    outlier_score = np.zeros(len(faces))
    return rank_labels(
        faces, probabilities, outlier_score, expressions=EXPRESSIONS, settings=settings
    )


@pytest.mark.parametrize(
    "method", ["odds", "self_confidence", "normalized_margin", "confidence_weighted_entropy"]
)
def test_wrong_labels_come_first_with_the_right_suggestion(faces, method) -> None:
    probabilities = confident_in(faces["label"])
    wrong = [3, 50, 90]
    given = faces.copy()
    given.loc[wrong, "label"] = ["sad", "happy", "neutral"]
    ranked = ranked_by(given, probabilities, method=method)
    assert set(ranked["path"][:3]) == set(faces.loc[wrong, "path"])
    assert set(ranked["issue_type"][:3]) == {"wrong"}
    suggested = ranked.set_index("path")["suggested_label"]
    assert list(suggested[faces.loc[wrong, "path"]]) == list(faces.loc[wrong, "label"])
    assert (ranked["suggested_label"] != ranked["label"]).all()


def test_every_face_is_ranked_once_by_quality(faces: pd.DataFrame) -> None:
    probabilities = confident_in(faces["label"])
    ranked = ranked_by(faces, probabilities)
    assert sorted(ranked["path"]) == sorted(faces["path"])
    assert list(ranked["rank"]) == list(range(1, len(faces) + 1))
    assert ranked["label_quality"].is_monotonic_increasing
    assert ranked["label_quality"].between(0, 1).all()
    by_path = dict(zip(faces["path"], probabilities, strict=True))
    expected = np.stack([by_path[path] for path in ranked["path"]])
    np.testing.assert_array_equal(probabilities_of(ranked), expected)


def test_a_near_duplicate_with_another_label_lowers_the_quality(faces: pd.DataFrame) -> None:
    groups = np.arange(len(faces))
    groups[100] = groups[5]  # a sad face, a happy face
    ranked = ranked_by(faces.assign(near_group=groups), confident_in(faces["label"]))
    place = ranked.set_index("path")
    alone = ranked_by(faces, confident_in(faces["label"])).set_index("path")
    for row in (5, 100):
        path = faces["path"][row]
        assert place.loc[path, "label_quality"] < alone.loc[path, "label_quality"] - 0.05


def test_images_without_a_face_come_first_and_are_called_so(faces: pd.DataFrame) -> None:
    outlier_score = np.zeros(len(faces))
    outlier_score[[7, 70]] = 12, 20
    ranked = rank_labels(
        faces,
        confident_in(faces["label"]),
        outlier_score,
        expressions=EXPRESSIONS,
        settings=RANKING,
    )
    assert list(ranked["path"][:2]) == list(faces["path"][[70, 7]])
    assert list(ranked["issue_type"][:2]) == ["non_face"] * 2
    assert "non_face" not in set(ranked["issue_type"][2:])


def test_a_face_scored_twice_is_refused(faces: pd.DataFrame) -> None:
    with pytest.raises(UserError, match="faces are scored by more than one fold, such as Training"):
        out_of_sample([faces, faces.iloc[:2]])


def write_workspace(
    folder: Path, *, folds: int, expressions: tuple[str, ...] = ("happy", "neutral", "sad")
) -> pd.DataFrame:
    manifest, pixels = plain_manifest()
    write_table(manifest, folder / "manifest.parquet")
    np.save(folder / "pixels.npy", pixels)
    training = manifest["original_split"] == "training"
    fold_of_face = np.where(training, manifest.index % 2, NO_FOLD)
    groups = manifest[["path"]].assign(
        near_group=np.arange(len(manifest)),
        fold=fold_of_face,
        split=np.where(training, "train", "test"),
    )
    write_table(groups, folder / "assignments.parquet")
    for fold in range(folds):
        scored = manifest[(manifest.index % 2 == fold) | ~training]
        keys = scored[["path", "pixel_hash", "original_split"]].assign(fold=fold)
        table = with_probabilities(keys, confident_in(scored["label"]))
        file = folder / "crossval" / f"fold-{fold}.parquet"
        write_table(table, file, expressions=expressions)
    (folder / "params.yaml").write_text(
        "data: {expressions: [happy, neutral, sad]}\n"
        f"mislabels: {json.dumps(RANKING.model_dump())}\n"
    )
    return manifest[training]


def run_main(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.chdir(folder)
    flags = {
        "manifest": "manifest.parquet",
        "pixels": "pixels.npy",
        "assignments": "assignments.parquet",
        "crossval": "crossval",
        "label-quality": "out/label_quality.parquet",
        "testing-quality": "out/testing_quality.parquet",
    }
    monkeypatch.setattr(sys, "argv", ["mislabels", *words_of(flags)])
    mislabels.main()


def test_the_stage_ranks_training_with_the_same_bytes_each_time(tmp_path, monkeypatch) -> None:
    training = write_workspace(tmp_path, folds=2)
    run_main(monkeypatch, tmp_path)
    files = sorted((tmp_path / "out").iterdir())
    assert [file.name for file in files] == ["label_quality.parquet", "testing_quality.parquet"]
    first = [file.read_bytes() for file in files]
    run_main(monkeypatch, tmp_path)
    assert [file.read_bytes() for file in files] == first
    assert set(read_table(files[0])["path"]) == set(training["path"])
    testing = read_table(files[1])
    assert len(testing) == 30
    assert testing["path"].str.startswith("Testing/").all()
    assert testing["label_quality"].between(0.8, 1).all()  # the folds are sure of all labels


def test_what_split_drew_as_test_is_testing(tmp_path, monkeypatch) -> None:
    write_workspace(tmp_path, folds=2)
    run_main(monkeypatch, tmp_path)
    before = {file.name: file.read_bytes() for file in (tmp_path / "out").iterdir()}
    manifest = read_table(tmp_path / "manifest.parquet").assign(original_split="training")
    write_table(manifest, tmp_path / "manifest.parquet")
    run_main(monkeypatch, tmp_path)
    assert {file.name: file.read_bytes() for file in (tmp_path / "out").iterdir()} == before


def test_a_validation_folder_is_ranked_as_training_is(tmp_path, monkeypatch) -> None:
    training = write_workspace(tmp_path, folds=2)
    in_validation = set(training["path"][:20])
    for file in (tmp_path / "manifest.parquet", *(tmp_path / "crossval").iterdir()):
        names = ("happy", "neutral", "sad") if file.parent.name == "crossval" else None
        table = read_table(file)
        is_given = table["path"].isin(in_validation)
        table["original_split"] = table["original_split"].mask(is_given, "validation")
        write_table(table, file, expressions=names)
    run_main(monkeypatch, tmp_path)
    assert in_validation <= set(read_table(tmp_path / "out/label_quality.parquet")["path"])


@pytest.mark.parametrize("key", ["budget", "balance"])
def test_a_setting_of_the_queue_is_said_to_stand_there_now(tmp_path, monkeypatch, key) -> None:
    write_workspace(tmp_path, folds=2)
    params = tmp_path / "params.yaml"
    params.write_text(params.read_text().replace("mislabels: {", f'mislabels: {{"{key}": 7, '))
    with pytest.raises(
        UserError, match=rf"'mislabels\.{key}' is 'review_queue\.{key}' now: `ferflow upgrade`"
    ):
        run_main(monkeypatch, tmp_path)


def test_missing_folds_are_said_to_be_missing(tmp_path: Path, monkeypatch) -> None:
    write_workspace(tmp_path, folds=1)
    with pytest.raises(UserError, match=r"fold-1\.parquet is missing: .* `split\.num_folds` says"):
        run_main(monkeypatch, tmp_path)


def test_what_more_folds_left_is_passed_over(tmp_path: Path, monkeypatch, caplog) -> None:
    write_workspace(tmp_path, folds=2)
    run_main(monkeypatch, tmp_path)
    before = (tmp_path / "out/label_quality.parquet").read_bytes()
    shutil.copyfile(tmp_path / "crossval/fold-1.parquet", tmp_path / "crossval/fold-2.parquet")
    run_main(monkeypatch, tmp_path)
    assert (tmp_path / "out/label_quality.parquet").read_bytes() == before
    assert "fold-2.parquet is of no fold any more" in caplog.text


def test_folds_that_were_scored_in_another_order_of_classes_are_refused(
    tmp_path: Path, monkeypatch
) -> None:
    write_workspace(tmp_path, folds=2, expressions=("sad", "neutral", "happy"))
    with pytest.raises(
        UserError,
        match=r"fold-0\.parquet are of sad, neutral, happy; expected happy, neutral, sad, in",
    ):
        run_main(monkeypatch, tmp_path)
    assert not (tmp_path / "out").exists()
