"""The Prefect flow over the whole line: what it runs, and that it ends where `dvc repro` does."""

import json
import os
import resource
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from fer_data.core.tables import read_table
from tests.support.flows.typed_commands import BELOW_MEMBERS, MODELS, ok, repro, set_param
from tests.support.servers.prefect import Server, serving

pytestmark = pytest.mark.timeout(1500)  # the first test waits for every stage of the line
NOOP_SECONDS = 30.0


@pytest.fixture(scope="module")
def prefect_server(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serves a copy of the finished workspace, and knows what is run by hand in others."""
    workspace = tmp_path_factory.mktemp("served") / "workspace"
    shutil.copytree(finished, workspace, symlinks=True)
    with serving(workspace, is_warm=True) as server:
        yield server


def copy_of(workspace: Path, folder: Path) -> Path:
    """A copy with a cache of its own, whose files are links: it learns nothing of runs elsewhere."""
    shutil.copytree(workspace, folder / "workspace", symlinks=True)
    cache = Path(ok(workspace, "dvc", "cache", "dir").strip())
    runs = shutil.ignore_patterns("runs")  # what DVC knows of runs, those of other tests included
    shutil.copytree(cache, folder / "cache", copy_function=os.link, ignore=runs)
    ok(folder / "workspace", "dvc", "config", "--local", "cache.dir", str(folder / "cache"))
    return folder / "workspace"


def locked(workspace: Path) -> dict[str, Any]:
    """What `dvc.lock` says of each stage, but for the outputs that hold measured times."""
    stages = yaml.safe_load((workspace / "dvc.lock").read_text())["stages"]
    return {
        name: {
            "deps": [dep for dep in stage["deps"] if not dep["path"].startswith("reports/")],
            "params": stage.get("params"),
            "outs": [out for out in stage["outs"] if not out["path"].startswith("reports/")],
        }
        for name, stage in stages.items()
    }


def children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_after_a_run_of_dvc_the_flow_has_nothing_to_do(
    prefect_server: Server, workspace: Path
) -> None:
    before = (workspace / "dvc.lock").read_bytes()
    started = children_seconds()
    finished = prefect_server.rebuild(workspace)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    # Of the processors, since the clock also counts what else the machine has to do.
    assert children_seconds() - started < NOOP_SECONDS
    run = prefect_server.run_of(finished)
    states = prefect_server.states(run, expected=len(locked(workspace)))
    assert states.pop("publish") == "Completed"  # that there is nowhere to publish to
    assert set(states.values()) == {"Cached"}
    assert (workspace / "dvc.lock").read_bytes() == before


def test_flow_and_dvc_rerun_the_same_and_end_the_same(
    prefect_server: Server, workspace: Path, tmp_path: Path
) -> None:
    by_dvc, by_flow = (copy_of(workspace, tmp_path / name) for name in ("dvc", "flow"))
    for folder in (by_dvc, by_flow):
        set_param(folder, "ensemble", "epochs", 1)
        set_param(folder, "review_queue", "budget", 30)
    ran = repro(by_dvc)
    finished = prefect_server.rebuild(by_flow)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    states = prefect_server.states(prefect_server.run_of(finished), expected=len(locked(by_flow)))
    completed = {name for name, state in states.items() if state == "Completed"}
    assert completed - {"publish"} == set(ran)
    # No fold, since the folds come before the queue; no member, since the ensemble only reads them.
    assert sorted(ran) == sorted(["review_queue", "quality_report", *BELOW_MEMBERS])
    assert locked(by_flow) == locked(by_dvc)
    metrics = [(folder / "reports/metrics.json").read_bytes() for folder in (by_dvc, by_flow)]
    assert metrics[0] == metrics[1]
    assert repro(by_flow) == []


def test_a_decision_lets_a_scheduled_run_retrain_evaluate_and_publish(
    prefect_server: Server, tmp_path: Path
) -> None:
    workspace, site = prefect_server.workspace, tmp_path / "site"
    set_param(workspace, "publish", "destination", str(site))
    assignments = read_table(workspace / "data/split/assignments.parquet")
    face = assignments.loc[assignments["split"] == "train", "pixel_hash"].iloc[0]
    with (workspace / "data/relabels.csv").open("a") as file:
        file.write(f"{face},angry,surprise,ann,2026-01-01T00:00:00Z,\n")
    run = prefect_server.scheduled_run()
    assert run["auto_scheduled"]
    assert prefect_server.ended(run["id"])["state_type"] == "COMPLETED"
    states = prefect_server.states(run, expected=len(locked(workspace)) + 1)
    history = prefect_server.ask("GET", f"flow_run_states/?flow_run_id={run['id']}")
    assert [history[0]["name"], history[-1]["name"]] == ["Scheduled", "Completed"]
    rebuilt = {name for name, state in states.items() if state == "Completed"}
    of_models = {
        f"{part}@{name}" for part in ("train", "member_predictions", "evaluate") for name in MODELS
    }
    data = {"review_queue", "quality_report", "rebalance", "tfrecords"}
    assert rebuilt == {*data, *of_models, *BELOW_MEMBERS, "publish"}
    assert {state for name, state in states.items() if name not in rebuilt} == {"Cached"}
    examples = read_table(workspace / "data/curated/examples.parquet")
    assert set(examples.loc[examples["pixel_hash"] == face, "label"]) == {"surprise"}
    (published,) = (site / "runs").iterdir()
    assert published.name in (site / "latest/index.html").read_text()
    figures = json.loads((published / "metrics.json").read_text())
    assert set(figures) == {*MODELS, "ensemble"}
    assert repro(workspace) == []
