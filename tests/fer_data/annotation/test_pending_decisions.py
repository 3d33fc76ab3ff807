import hashlib
import json
from pathlib import Path

import pandas as pd
import pytest
import yaml

from fer_data.annotation.decision_marks import MARK, mark_of
from fer_data.annotation.pending_decisions import waiting
from fer_data.core.schema import DECISION_COLUMNS
from fer_data.core.tables import write_table

GRAPH = {
    "stages": {
        "crossval": {
            "matrix": {"fold": [0, 1]},
            "deps": ["data/accepted/relabels.csv"],
            "outs": ["data/crossval/fold-${item.fold}.parquet"],
        },
        "review_queue": {"deps": ["data/relabels.csv"], "outs": ["data/queue/neighbors.parquet"]},
        "rebalance": {"deps": ["data/relabels.csv"], "outs": ["data/curated/summary.json"]},
    }
}
HEADER = ",".join(DECISION_COLUMNS) + "\n"
RELABELS, ACCEPTED = Path("data/relabels.csv"), Path("data/accepted/relabels.csv")


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A workspace in which every decision is applied: none."""
    monkeypatch.chdir(tmp_path)
    Path("dvc.yaml").write_text(yaml.safe_dump(GRAPH))
    for folder in ("data/accepted", "data/crossval", "data/curated"):
        Path(folder).mkdir(parents=True)
    for file in (RELABELS, ACCEPTED):
        file.write_text(HEADER)
    Path("data/curated/summary.json").write_text(json.dumps({MARK: mark_of(RELABELS)}))
    queue = pd.DataFrame({"path": []})
    mark = {MARK: json.dumps(mark_of(RELABELS))}
    write_table(queue, Path("data/queue/neighbors.parquet"), metadata=mark)
    for fold in range(2):
        write_table(
            pd.DataFrame({"fold": [fold]}),
            Path(f"data/crossval/fold-{fold}.parquet"),
            metadata={MARK: json.dumps(mark_of(ACCEPTED))},
        )


def decide(file: Path, number: int) -> None:
    with file.open("a") as opened:
        opened.write("aa,happy,sad,ann,2026-01-31T10:00:00Z,\n" * number)


def test_nothing_waits_that_is_applied() -> None:
    assert waiting() == []


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (1, "1 decision of data/relabels.csv is not yet applied: `dvc repro`"),
        (3, "3 decisions of data/relabels.csv are not yet applied: `dvc repro`"),
    ],
)
def test_later_decisions_wait_for_dvc(number: int, words: str) -> None:
    decide(RELABELS, number)
    assert waiting() == [words]


def test_folds_that_lack_the_same_are_named_once() -> None:
    decide(ACCEPTED, 2)
    assert waiting() == [
        "2 decisions of data/accepted/relabels.csv are not yet applied: `dvc repro`"
    ]


def test_a_line_that_was_edited_or_taken_out_waits_too() -> None:
    RELABELS.write_text(HEADER.lower() + "\n")
    assert waiting() == ["data/relabels.csv was edited since it was applied: `dvc repro`"]


def test_what_dvc_took_for_applied_names_what_really_applies_it() -> None:
    decide(RELABELS, 1)
    md5 = hashlib.md5(RELABELS.read_bytes()).hexdigest()
    lock = {"stages": {"rebalance": {"deps": [{"path": RELABELS.as_posix(), "md5": md5}]}}}
    Path("data/queue/neighbors.parquet").unlink()
    Path("dvc.lock").write_text(yaml.safe_dump(lock))
    assert waiting() == [
        "1 decision of data/relabels.csv is not yet applied, though DVC holds that it is: "
        "`dvc repro --force --single-item rebalance`, then `dvc repro`"
    ]


def test_what_is_not_made_yet_or_of_an_earlier_version_waits_for_nothing() -> None:
    decide(RELABELS, 1)
    Path("data/queue/neighbors.parquet").unlink()
    Path("data/curated/summary.json").write_text("{}")
    assert waiting() == []
    Path("data/curated/summary.json").unlink()
    assert waiting() == []


def test_a_workspace_without_such_stages_has_none() -> None:
    Path("dvc.yaml").write_text("stages: {bake: {cmd: oven}}")
    assert waiting() == []
