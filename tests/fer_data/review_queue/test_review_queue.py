import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from fer_data.core.schema import DECISION_COLUMNS
from fer_data.core.tables import read_table, with_probabilities, write_table
from fer_data.review_queue import review_queue as stage
from fer_data.review_queue.review_queue import review_queue
from flows.workspace.graph import read_graph
from tests.support.command_words import words_of
from tests.support.data.manifests import EXPRESSIONS, plain_manifest
from tests.support.data.simulated_scores import CLASSES, TRUE_LABEL, simulated_scores

ROOT = Path(__file__).parents[3]
NOBODY = pd.DataFrame({"pixel_hash": []}, dtype=str)


@pytest.fixture
def ranked() -> pd.DataFrame:
    """120 Training faces by rank, none the duplicate of another."""
    manifest, _ = plain_manifest()
    training = manifest[manifest["original_split"] == "training"].reset_index(drop=True)
    rows = training[["path", "pixel_hash", "label"]].assign(
        suggested_label=["happy" if label == "sad" else "sad" for label in training["label"]],
        label_quality=np.linspace(0, 1, len(training)),
        rank=np.arange(1, len(training) + 1),
        issue_type="wrong",
        split="train",
    )
    return with_probabilities(rows, np.full((len(rows), 3), 1 / 3))


def ranks(ranked: pd.DataFrame, decided: pd.DataFrame = NOBODY, *, budget: int = 5) -> list[int]:
    return list(review_queue(ranked, decided, budget=budget, balance="none")["rank"])


def test_the_queue_holds_the_lowest_label_quality_without_probabilities(
    ranked: pd.DataFrame,
) -> None:
    queue = review_queue(ranked, NOBODY, budget=5, balance="none")
    assert list(queue["rank"]) == [1, 2, 3, 4, 5]
    assert not {"probabilities", "split"} & set(queue.columns)
    assert ranks(ranked.sample(frac=1, random_state=0)) == [1, 2, 3, 4, 5]


def test_the_budget_is_for_faces_that_nobody_has_decided_on(ranked: pd.DataFrame) -> None:
    assert ranks(ranked, ranked[["pixel_hash"]].iloc[[0, 2, 3]]) == [2, 5, 6, 7, 8]
    assert ranks(ranked, ranked[["pixel_hash"]]) == []


def test_excluded_faces_wait_for_nobody(ranked: pd.DataFrame) -> None:
    splits = ranked["split"].where(~ranked["rank"].isin([1, 4]), "excluded")
    assert ranks(ranked.assign(split=splits)) == [2, 3, 5, 6, 7]


def test_exact_duplicates_wait_once_whatever_their_labels(ranked: pd.DataFrame) -> None:
    same = ranked["pixel_hash"].where(~ranked["rank"].isin([2, 3]), ranked["pixel_hash"][0])
    labels = ranked["label"].where(ranked["rank"] != 2, "sad")
    assert ranks(ranked.assign(pixel_hash=same, label=labels)) == [1, 4, 5, 6, 7]


def test_a_balanced_queue_holds_each_given_class_as_long_as_it_lasts(ranked: pd.DataFrame) -> None:
    few = ranked[(ranked["label"] != "sad") | (ranked["rank"] >= len(ranked) - 1)]
    queue = review_queue(few, NOBODY, budget=12, balance="equal")
    assert queue["label"].value_counts().to_dict() == {"happy": 5, "neutral": 5, "sad": 2}
    assert queue["rank"].is_monotonic_increasing


def run_main(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.chdir(folder)
    flags = {
        "manifest": "manifest.parquet",
        "pixels": "pixels.npy",
        "assignments": "assignments.parquet",
        "label-quality": "label_quality.parquet",
        "crossval": "crossval",
        "decisions": "relabels.csv",
        "suspects": "out/suspects.csv",
        "audit": "out/audit.csv",
        "ranking": "out/ranking.parquet",
        "learning": "out/learning.json",
        "neighbors": "out/neighbors.parquet",
        "label-studio": "out/label_studio.json",
    }
    monkeypatch.setattr(sys, "argv", ["review_queue", *words_of(flags)])
    stage.main()


@pytest.fixture
def workspace(tmp_path: Path, ranked: pd.DataFrame) -> Path:
    manifest, pixels = plain_manifest()
    write_table(manifest, tmp_path / "manifest.parquet")
    np.save(tmp_path / "pixels.npy", pixels)
    folds = manifest.index % 2
    assignments = manifest[["path"]].assign(
        split="train", fold=folds, near_group=np.arange(len(manifest))
    )
    write_table(assignments, tmp_path / "assignments.parquet")
    write_table(
        ranked.drop(columns="split"),
        tmp_path / "label_quality.parquet",
        expressions=tuple(EXPRESSIONS),
    )
    for fold in range(2):
        scored = manifest.loc[folds == fold, ["path"]]
        nearest = [[path, f"of fold {fold}"] for path in scored["path"]]
        write_table(scored.assign(neighbors=nearest), tmp_path / f"crossval/fold-{fold}.parquet")
    (tmp_path / "relabels.csv").write_text(",".join(DECISION_COLUMNS) + "\n")
    settings = {"data": {"expressions": EXPRESSIONS}}
    settings |= {"review_queue": {"budget": 7, "balance": "none", "audit_faces": 0}}
    (tmp_path / "params.yaml").write_text(json.dumps(settings))
    return tmp_path


def test_the_stage_writes_queue_neighbors_and_tasks_in_the_same_order(
    workspace: Path, ranked: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    decided = ranked.iloc[0]
    with (workspace / "relabels.csv").open("a") as file:
        file.write(f"{decided['pixel_hash']},{decided['label']},keep,ann,2026-01-31T10:00:00Z,\n")
    run_main(monkeypatch, workspace)
    queue = pd.read_csv(workspace / "out/suspects.csv")
    assert list(queue["rank"]) == list(range(2, 9))
    nearby = read_table(workspace / "out/neighbors.parquet")
    assert list(nearby["path"]) == list(queue["path"])
    folds = read_table(workspace / "assignments.parquet").set_index("path")["fold"]
    expected = [[path, f"of fold {folds[path]}"] for path in queue["path"]]
    assert [list(paths) for paths in nearby["neighbors"]] == expected
    tasks = json.loads((workspace / "out/label_studio.json").read_text())
    for row, task in zip(queue.to_dict("records"), tasks, strict=True):
        assert task["data"]["path"] == row["path"]
        assert task["data"]["image"].startswith("data:image/png;base64,")
        prediction = task["predictions"][0]
        assert prediction["score"] == pytest.approx(1 - row["label_quality"])
        assert prediction["result"][0]["value"]["choices"] == [row["suggested_label"]]
    files = sorted((workspace / "out").iterdir())
    before = [file.read_bytes() for file in files]
    run_main(monkeypatch, workspace)
    assert [file.read_bytes() for file in files] == before


def test_the_stage_draws_the_audit_and_learns_and_repeats_itself_to_the_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    faces = simulated_scores(600, seed=0, confused={("happy", "surprise"): 0.6})
    manifest = faces[["path", "pixel_hash", "label"]].assign(original_split="training")
    write_table(manifest, tmp_path / "manifest.parquet")
    np.save(tmp_path / "pixels.npy", np.zeros((len(faces), 48, 48), np.uint8))
    write_table(
        faces[["path", "split", "near_group"]].assign(fold=0), tmp_path / "assignments.parquet"
    )
    own = ["split", "near_group", TRUE_LABEL]
    scored = faces.drop(columns=own)
    write_table(scored, tmp_path / "label_quality.parquet", expressions=CLASSES)
    nearest = faces[["path"]].assign(neighbors=[[path] for path in faces["path"]])
    write_table(nearest, tmp_path / "crossval/fold-0.parquet")
    settings = {"data": {"expressions": CLASSES}}
    settings |= {"review_queue": {"budget": 100, "balance": "none", "audit_faces": 60}}
    (tmp_path / "params.yaml").write_text(json.dumps(settings))
    header = ",".join(DECISION_COLUMNS) + "\n"
    (tmp_path / "relabels.csv").write_text(header)
    run_main(monkeypatch, tmp_path)
    audit = pd.read_csv(tmp_path / "out/audit.csv")
    assert len(audit) == 60
    assert audit["waits"].all()
    nearby = read_table(tmp_path / "out/neighbors.parquet")
    assert set(audit["path"]) < set(nearby["path"])
    tasks = json.loads((tmp_path / "out/label_studio.json").read_text())
    assert len(tasks) > 100  # with some of the audit among them

    decided = pd.concat([faces.head(100), faces[faces["path"].isin(audit["path"].head(20))]])
    lines = [
        f"{row.pixel_hash},{row.label},{row.true_label},ann,2026-01-31T10:00:00Z,\n"
        for row in decided.drop_duplicates("path").itertuples()
    ]
    (tmp_path / "relabels.csv").write_text(header + "".join(lines))
    caplog.set_level("INFO")
    run_main(monkeypatch, tmp_path)
    assert "ranked by what decisions teach (log loss" in caplog.text
    assert "audit: " in caplog.text
    after = pd.read_csv(tmp_path / "out/audit.csv")
    assert list(after["path"]) == list(audit["path"])
    assert not after["waits"].head(20).any()
    queue = pd.read_csv(tmp_path / "out/suspects.csv")
    assert not set(queue["pixel_hash"]) & set(decided["pixel_hash"])
    ranking = read_table(tmp_path / "out/ranking.parquet").set_index("path")
    assert list(ranking.loc[queue["path"], "rank"]) == sorted(queue["rank"])
    assert len(ranking) == len(faces)
    files = sorted((tmp_path / "out").iterdir())
    before = [file.read_bytes() for file in files]
    run_main(monkeypatch, tmp_path)
    assert [file.read_bytes() for file in files] == before


def test_a_decision_reruns_the_queue_and_what_learns_from_labels_and_no_fold() -> None:
    graph = read_graph(ROOT)
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    readers = {name for name, one in stages.items() if "data/relabels.csv" in one.get("deps", [])}
    assert readers == {"review_queue", "quality_report", "rebalance"}
    rerun = {stage.partition("@")[0] for stage in graph.below(readers)}
    learners = {"tfrecords", "train", "member_predictions", "ensemble", "evaluate", "report"}
    assert rerun == readers | learners
    assert graph.below({"review_queue"}) == {"review_queue", "quality_report"}  # a leaf
