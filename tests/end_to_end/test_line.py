"""The whole line in a small workspace: what runs, what does not run again, what changes what."""

import json
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
import yaml

from fer_data.core.tables import read_table
from flows.workspace.overrides import apply_overrides
from tests.support.flows.typed_commands import MODELS, NUM_FOLDS, call, ok, repro

pytestmark = pytest.mark.timeout(1500)  # the first test waits for every stage of the line

FOLDS = [f"crossval@{fold}" for fold in range(NUM_FOLDS)]
NOT_ABOVE_RECORDS = {
    "review_queue",
    "quality_report",
    "train",
    "member_predictions",
    "ensemble",
    "evaluate",
    "report",
}


def stages_of(workspace: Path) -> list[str]:
    return list(yaml.safe_load((workspace / "dvc.lock").read_text())["stages"])


def test_the_first_run_makes_every_output(finished: Path) -> None:
    lock = yaml.safe_load((finished / "dvc.lock").read_text())["stages"]
    assert len(lock) == 8 + len(FOLDS) + 3 * len(MODELS) + 3
    outputs = [finished / out["path"] for stage in lock.values() for out in stage["outs"]]
    assert len(outputs) > 15
    assert [path for path in outputs if not path.exists()] == []


def test_the_second_run_does_nothing(workspace: Path) -> None:
    assert repro(workspace) == []
    assert "Data and pipelines are up to date" in ok(workspace, "dvc", "status")


def test_data_outputs_are_repeatable_byte_for_byte(workspace: Path) -> None:
    before = yaml.safe_load((workspace / "dvc.lock").read_text())["stages"]
    # Where the order of a set is another one, which copies of one process share.
    ran = repro(workspace, "--force", "--no-run-cache", "tfrecords", in_new_processes=True)
    assert set(ran) == {name for name in before if name.split("@")[0] not in NOT_ABOVE_RECORDS}
    after = yaml.safe_load((workspace / "dvc.lock").read_text())["stages"]
    for name in ran:
        data = [out for out in before[name]["outs"] if out["path"].startswith("data/")]
        assert [out for out in after[name]["outs"] if out["path"].startswith("data/")] == data


def test_accepted_decisions_rerun_the_folds_and_no_accepted_baseline_does(workspace: Path) -> None:
    ok(workspace, "git", "config", "user.name", "Ann")
    ok(workspace, "git", "config", "user.email", "ann@localhost")
    ok(workspace, "ferflow", "accept-baseline", "--by", "Ann")
    assert repro(workspace) == ["validate", "split", "quality_report"]
    manifest = read_table(workspace / "data/faces/manifest.parquet")
    face = manifest[manifest["original_split"] == "training"].iloc[0]
    with (workspace / "data/relabels.csv").open("a") as file:
        file.write(f"{face.pixel_hash},{face.label},drop,ann,2026-01-01T00:00:00Z,\n")
    ok(workspace, "ferflow", "accept-decisions", "--by", "Ann")
    *folds, last = repro(workspace, "mislabels")
    assert (sorted(folds), last) == (FOLDS, "mislabels")
    scored = pd.concat(
        read_table(workspace / f"data/crossval/fold-{fold}.parquet") for fold in range(NUM_FOLDS)
    )
    assert face.path in set(scored["path"])


def test_training_needs_nothing_but_the_records(workspace: Path) -> None:
    (workspace / "data/faces/pixels.npy").unlink()
    shutil.rmtree(workspace / "data/raw")
    stage = yaml.safe_load((workspace / "dvc.yaml").read_text())["stages"]["train"]["do"]
    words = stage["cmd"].replace("${key}", "scratch").split()
    before = (workspace / "models/scratch/model.keras").read_bytes()
    shutil.rmtree(workspace / "models")
    ok(workspace, *words)
    assert (workspace / "models/scratch/model.keras").read_bytes() == before


def test_a_repeat_is_trained_with_the_next_seed_and_joins_the_ensemble(workspace: Path) -> None:
    params = yaml.safe_load((workspace / "params.yaml").read_text())
    entry = params["pipeline"]["models"]["scratch"]
    overrides = {
        "pipeline": {"models": {"scratch_1": entry}},
        "ensemble": {"members": ["scratch", "scratch_1"]},
    }
    apply_overrides(overrides, folder=workspace)
    new = ["train@scratch_1", "member_predictions@scratch_1", "ensemble"]
    assert repro(workspace, "ensemble") == new
    seeds = [
        json.loads((workspace / f"reports/train/{name}/summary.json").read_text())["seed"]
        for name in ("scratch", "scratch_1")
    ]
    assert seeds == [0, 1]
    assert repro(workspace, "ensemble") == []


def test_metrics_and_plots_show(workspace: Path) -> None:
    shown = json.loads(ok(workspace, "dvc", "metrics", "show", "--json"))
    assert 0 < shown[""]["data"]["reports/metrics.json"]["data"]["scratch"]["test"]["accuracy"] < 1
    ok(workspace, "dvc", "plots", "show", "--out", "plots")
    page = (workspace / "plots" / "index.html").read_text()
    of_training = ("Accuracy on train and validation", "Loss on train")
    of_test = ("Confusion on test", "ROC on test", "Precision and recall on", "Reliability on test")
    for title in (*of_training, *of_test):
        assert title in page


def test_the_reports_need_no_network(finished: Path) -> None:
    for page in ("reports/index.html", "reports/data_quality/index.html"):
        text = (finished / page).read_text(encoding="utf-8")
        assert not re.findall(r'(?:src|href)="(?:https?:)?//[^"]*"|url\((?!data:|#)[^)]*\)', text)


@pytest.mark.parametrize(
    ("damage", "line"),
    [
        (lambda archive: archive.unlink(), "apollo2506/facial-recognition-dataset"),
        (lambda archive: archive.write_bytes(archive.read_bytes()[:50_000]), "half a download"),
        (lambda archive: archive.write_text("<html>Sign in</html>"), "not a zip"),
    ],
)
def test_a_bad_archive_is_one_line_and_loses_nothing(workspace: Path, damage, line: str) -> None:
    damage(workspace / "data/raw/archive.zip")
    finished = call(workspace, "dvc", "repro", "--single-item", "ingest")
    assert finished.returncode != 0
    errors = [text for text in finished.stderr.splitlines() if text.startswith("error: ")]
    assert len(errors) == 1
    assert line in errors[0]
    assert "Traceback" not in finished.stderr
    ok(workspace, "dvc", "checkout", "--force", "data/faces/manifest.parquet")
    assert len(pd.read_parquet(workspace / "data/faces/manifest.parquet")) == 480
