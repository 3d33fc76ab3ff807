import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fer_data import mislabels
from fer_data.mislabels import out_of_sample, rank_labels, review_queue
from fer_data.stage import UserError
from fer_data.tables import probabilities_of, read_table, with_probabilities, write_table
from tests.fer_data.manifests import EXPRESSIONS, plain_manifest


def confident_in(labels: pd.Series) -> np.ndarray:
    """Probabilities that favour the labels, each by a little different margin."""
    numbers = labels.map({name: number for number, name in enumerate(EXPRESSIONS)}).to_numpy()
    probabilities = np.full((len(labels), 3), 0.1)
    probabilities[np.arange(len(labels)), numbers] = np.linspace(0.6, 0.9, len(labels))
    return (probabilities / probabilities.sum(axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture
def faces() -> pd.DataFrame:
    manifest, _ = plain_manifest()
    return manifest[manifest["source"] == "training"].reset_index(drop=True)


@pytest.mark.parametrize(
    "method", ["self_confidence", "normalized_margin", "confidence_weighted_entropy"]
)
def test_wrong_labels_come_first_with_the_right_suggestion(faces, method) -> None:
    probabilities = confident_in(faces["label"])
    wrong = [3, 50, 90]
    given = faces.copy()
    given.loc[wrong, "label"] = ["sad", "happy", "neutral"]
    ranked = rank_labels(given, probabilities, expressions=EXPRESSIONS, method=method)
    assert set(ranked["path"][:3]) == set(faces.loc[wrong, "path"])
    suggested = ranked.set_index("path")["suggested_label"]
    assert list(suggested[faces.loc[wrong, "path"]]) == list(faces.loc[wrong, "label"])
    assert (ranked["suggested_label"] != ranked["label"]).all()


def test_every_face_is_ranked_once_by_quality(faces: pd.DataFrame) -> None:
    probabilities = confident_in(faces["label"])
    ranked = rank_labels(faces, probabilities, expressions=EXPRESSIONS, method="normalized_margin")
    assert sorted(ranked["path"]) == sorted(faces["path"])
    assert list(ranked["rank"]) == list(range(1, len(faces) + 1))
    assert ranked["label_quality"].is_monotonic_increasing
    assert ranked["label_quality"].between(0, 1).all()
    by_path = dict(zip(faces["path"], probabilities, strict=True))
    expected = np.stack([by_path[path] for path in ranked["path"]])
    np.testing.assert_array_equal(probabilities_of(ranked), expected)


def test_the_queue_holds_the_budget_and_asks_about_twins_once(faces: pd.DataFrame) -> None:
    twins = faces.assign(
        pixel_hash=faces["pixel_hash"].where(faces.index != 1, faces["pixel_hash"][0])
    )
    probabilities = confident_in(faces["label"])
    ranked = rank_labels(twins, probabilities, expressions=EXPRESSIONS, method="self_confidence")
    queue = review_queue(ranked, budget=5)
    assert len(queue) == 5
    assert not queue["pixel_hash"].duplicated().any()
    assert list(queue["rank"]) == [1, 3, 4, 5, 6]
    assert "probabilities" not in queue.columns


def test_a_face_scored_twice_is_refused(faces: pd.DataFrame) -> None:
    with pytest.raises(UserError, match="faces are scored by more than one fold, such as Training"):
        out_of_sample([faces, faces.iloc[:2]])


def write_workspace(folder: Path, *, folds: int) -> pd.DataFrame:
    manifest, pixels = plain_manifest()
    write_table(manifest, folder / "manifest.parquet")
    np.save(folder / "pixels.npy", pixels)
    training = manifest["source"] == "training"
    for fold in range(folds):
        scored = manifest[(manifest.index % 2 == fold) | ~training]
        keys = scored[["path", "pixel_hash", "source"]].assign(fold=fold)
        table = with_probabilities(keys, confident_in(scored["label"]))
        write_table(table, folder / "crossval" / f"fold-{fold}.parquet")
    (folder / "params.yaml").write_text(
        "data: {expressions: [happy, neutral, sad]}\n"
        "mislabels: {method: normalized_margin, budget: 7}\n"
    )
    return manifest[training]


def run_main(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.chdir(folder)
    flags = {
        "manifest": "manifest.parquet",
        "pixels": "pixels.npy",
        "crossval": "crossval",
        "label-quality": "out/label_quality.parquet",
        "suspects": "out/suspects.csv",
        "label-studio": "out/label_studio.json",
    }
    words = [word for name, value in flags.items() for word in (f"--{name}", value)]
    monkeypatch.setattr(sys, "argv", ["mislabels", *words])
    mislabels.main()


def test_the_stage_ranks_training_and_queues_the_same_bytes_each_time(
    tmp_path, monkeypatch
) -> None:
    training = write_workspace(tmp_path, folds=2)
    run_main(monkeypatch, tmp_path)
    files = sorted((tmp_path / "out").iterdir())
    assert [file.name for file in files] == [
        "label_quality.parquet",
        "label_studio.json",
        "suspects.csv",
    ]
    first = [file.read_bytes() for file in files]
    run_main(monkeypatch, tmp_path)
    assert [file.read_bytes() for file in files] == first
    assert set(read_table(files[0])["path"]) == set(training["path"])

    queue = pd.read_csv(files[2])
    tasks = json.loads(files[1].read_text())
    assert len(queue) == len(tasks) == 7
    for row, task in zip(queue.to_dict("records"), tasks, strict=True):
        assert task["data"]["path"] == row["path"]
        assert task["data"]["image"].startswith("data:image/png;base64,")
        prediction = task["predictions"][0]
        assert prediction["score"] == pytest.approx(1 - row["label_quality"])
        assert prediction["result"][0]["value"]["choices"] == [row["suggested_label"]]


def test_missing_folds_are_said_to_be_missing(tmp_path: Path, monkeypatch) -> None:
    write_workspace(tmp_path, folds=1)
    with pytest.raises(UserError, match="scores 60 of 120 Training faces: the folds"):
        run_main(monkeypatch, tmp_path)
    (tmp_path / "crossval" / "fold-0.parquet").unlink()
    with pytest.raises(UserError, match=r"holds no fold-K\.parquet"):
        run_main(monkeypatch, tmp_path)
