import json
import threading
from pathlib import Path

import pandas as pd
import pytest

from fer_data.annotation.decision_writer import Decision, append_decisions
from fer_data.core.tables import write_table
from fer_data.validation.baseline import read_baseline
from fer_models.reporting.metric_changes import read_accepted
from fer_models.reporting.outcomes import right_on
from flows.commands import accept
from flows.commands.accept import accept_baseline, accept_decisions
from tests.support.data.manifests import EXPRESSIONS
from tests.support.flows.small_workspace import ACCEPTED, RELABELS, decide, git, make

METRICS = {"scratch": {"test": {"accuracy": 0.5}}}


@pytest.fixture
def manifest(tmp_path: Path) -> pd.DataFrame:
    return make(tmp_path)


def write_metrics(folder: Path) -> None:
    (folder / "reports").mkdir(exist_ok=True)
    (folder / "reports/metrics.json").write_text(json.dumps(METRICS))


def accepted(folder: Path, name: str) -> str:
    return (folder / ACCEPTED / name).read_text(encoding="utf-8")


def test_decisions_become_the_snapshot_with_who_when_and_the_metrics(tmp_path, manifest) -> None:
    decide(tmp_path, manifest, 0, 1)
    write_metrics(tmp_path)
    words = accept_decisions(by="Zo\u00eb", folder=tmp_path)
    assert "2 decisions ->" in words
    assert accepted(tmp_path, "relabels.csv") == (tmp_path / RELABELS).read_text()
    record = read_accepted(tmp_path / ACCEPTED / "metrics.json")
    assert record is not None
    assert record.by == "Zo\u00eb"
    assert record.at.endswith("Z")
    assert record.num_decisions == 2
    assert record.metrics == METRICS
    assert git(tmp_path, "status", "--porcelain") == ""
    assert git(tmp_path, "log", "-1", "--format=%s").strip() == (
        "Accept 2 decisions on labels, by Zo\u00eb"
    )


def test_which_faces_were_predicted_rightly_is_kept(tmp_path: Path, manifest) -> None:
    decide(tmp_path, manifest, 0)
    write_metrics(tmp_path)
    columns = {"path": list("abc"), "split": ["validation", "test", "test"]}
    predictions = pd.DataFrame({**columns, "label": "sad", "prediction": ["sad", "happy", "sad"]})
    write_table(predictions, tmp_path / "reports/evaluate/scratch/predictions.parquet")
    accept_decisions(by="ann", folder=tmp_path)
    record = read_accepted(tmp_path / ACCEPTED / "metrics.json")
    assert record is not None
    kept = record.outcomes["scratch"]
    right = {
        name: right_on(one, predictions[predictions["split"] == name]) for name, one in kept.items()
    }
    assert {name: one is not None and one.tolist() for name, one in right.items()} == {
        "validation": [True],
        "test": [False, True],
    }


def test_what_else_is_changed_or_staged_stays_as_it_was(tmp_path: Path, manifest) -> None:
    decide(tmp_path, manifest, 0)
    (tmp_path / "staged.txt").write_text("staged")
    git(tmp_path, "add", "staged.txt")
    (tmp_path / ".gitignore").write_text("/data/faces/\n/reports/\n# changed\n")
    accept_decisions(by="ann", folder=tmp_path)
    assert git(tmp_path, "status", "--porcelain").splitlines() == [" M .gitignore", "A  staged.txt"]
    committed = git(tmp_path, "show", "--name-only", "--format=", "HEAD").split()
    assert committed == [
        str(ACCEPTED / "metrics.json"),
        str(ACCEPTED / "relabels.csv"),
        str(RELABELS),
    ]


def test_accepting_twice_commits_once_until_the_metrics_move(tmp_path: Path, manifest) -> None:
    decide(tmp_path, manifest, 0)
    accept_decisions(by="ann", folder=tmp_path)
    assert json.loads(accepted(tmp_path, "metrics.json"))["metrics"] == {}
    head = git(tmp_path, "rev-parse", "HEAD")
    assert "accepted already: nothing to commit" in accept_decisions(by="bob", folder=tmp_path)
    assert git(tmp_path, "rev-parse", "HEAD") == head
    write_metrics(tmp_path)
    accept_decisions(by="bob", folder=tmp_path)
    assert json.loads(accepted(tmp_path, "metrics.json"))["metrics"] == METRICS


def test_a_workspace_without_accepted_files_gets_them(tmp_path: Path, manifest) -> None:
    git(tmp_path, "rm", "--quiet", "-r", str(ACCEPTED))
    git(tmp_path, "commit", "--quiet", "--message", "Older")
    decide(tmp_path, manifest, 0)
    accept_decisions(by="ann", folder=tmp_path)
    accept_baseline(by="ann", folder=tmp_path)
    assert git(tmp_path, "status", "--porcelain") == ""
    assert len(git(tmp_path, "ls-files", str(ACCEPTED)).split()) == 3


@pytest.mark.usefixtures("manifest")
def test_the_baseline_is_the_archive_s_with_who_and_when(tmp_path: Path) -> None:
    (tmp_path / ACCEPTED / "profile.json").write_text("<<<<<<< HEAD\nnull\n")
    words = accept_baseline(by="ann", folder=tmp_path)
    assert "150 faces ->" in words
    baseline = read_baseline(tmp_path / ACCEPTED / "profile.json")
    assert baseline is not None
    assert baseline.accepted_by == "ann"
    assert baseline.counts["training/sad"] == 40
    assert git(tmp_path, "status", "--porcelain") == ""
    assert (
        git(tmp_path, "log", "-1", "--format=%s").strip()
        == "Accept the archive of 150 faces, by ann"
    )
    assert "nothing to commit" in accept_baseline(by="bob", folder=tmp_path)


def test_decisions_of_two_branches_merge_without_a_conflict(tmp_path: Path, manifest) -> None:
    git(tmp_path, "switch", "--quiet", "--create", "theirs")
    decide(tmp_path, manifest, 0)
    git(tmp_path, "commit", "--quiet", "--all", "--message", "Theirs")
    git(tmp_path, "switch", "--quiet", "main")
    decide(tmp_path, manifest, 1, 2)
    git(tmp_path, "commit", "--quiet", "--all", "--message", "Ours")
    git(tmp_path, "merge", "--quiet", "theirs")
    assert "3 decisions ->" in accept_decisions(by="ann", folder=tmp_path)


def test_a_decision_made_meanwhile_is_neither_lost_nor_accepted_by_half(
    tmp_path: Path, manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    decide(tmp_path, manifest, 0)
    face = manifest.iloc[1]
    one = Decision(face.pixel_hash, face.label, "sad", "bob", "2026-01-31T10:00:00Z")
    review_app = threading.Thread(
        target=append_decisions,
        args=(tmp_path / RELABELS, [one]),
        kwargs={"expressions": EXPRESSIONS},
    )

    def now() -> str:  # between reading and the commit
        review_app.start()
        review_app.join(0.5)
        return "2026-01-31T10:00:00Z"

    monkeypatch.setattr(accept, "now", now)
    accept_decisions(by="ann", folder=tmp_path)
    review_app.join(30)
    committed = git(tmp_path, "show", f"HEAD:{RELABELS}")
    assert committed == git(tmp_path, "show", f"HEAD:{ACCEPTED}/relabels.csv")
    assert (tmp_path / RELABELS).read_text().count("\n") == committed.count("\n") + 1


def test_the_snapshot_is_tidy_whatever_an_editor_left(tmp_path: Path, manifest) -> None:
    decide(tmp_path, manifest, 0, decision=" Drop")
    tidy = (tmp_path / RELABELS).read_text().replace(" Drop", "drop")
    with (tmp_path / RELABELS).open("a") as file:
        file.write("\n,,,,,\n")
    accept_decisions(by="ann", folder=tmp_path)
    assert accepted(tmp_path, "relabels.csv") == tidy
    assert "is accepted already" in accept_decisions(by="ann", folder=tmp_path)
