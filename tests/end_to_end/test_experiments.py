"""Experiments as the documentation shows them: one setting from the command line, compared, queued."""

import json
from pathlib import Path

import pytest

from flows.workspace.client import commit
from tests.support.flows.typed_commands import BELOW_MEMBERS, ok, repro, stages_run

pytestmark = pytest.mark.timeout(1500)  # the first test waits for every stage of the line


@pytest.fixture
def versioned(workspace: Path) -> Path:
    """The workspace with its archive versioned, so that experiments in folders of their own find it."""
    ok(workspace, "ferflow", "add", "data/raw/archive.zip")
    repro(workspace)
    commit(workspace, "Version the archive")
    return workspace


def shown(workspace: Path, section: str, key: str) -> dict[str, tuple[float, float]]:
    """Each experiment's value of a setting, and test accuracy of `scratch`, by name."""
    found = {}
    for revision in json.loads(ok(workspace, "dvc", "exp", "show", "--json")):
        for experiment in revision["experiments"] or []:
            data = experiment["revs"][0]["data"]
            settings = data["params"]["params.yaml"]["data"]
            for name in section.split("."):
                settings = settings[name]
            metrics = data["metrics"]["reports/metrics.json"]["data"]["scratch"]
            found[experiment["name"]] = (settings[key], metrics["test"]["accuracy"])
    return found


def test_an_experiment_changes_a_setting_and_is_shown_beside_the_others(versioned: Path) -> None:
    words = ("dvc", "exp", "run", "--name", "quick", "-S", "+models.scratch.learning_rate=0.002")
    ran = stages_run(ok(versioned, *words))
    of_the_model = [f"{stage}@scratch" for stage in ("train", "evaluate", "member_predictions")]
    assert sorted(ran) == sorted([*of_the_model, *BELOW_MEMBERS])
    rate, accuracy = shown(versioned, "models.scratch", "learning_rate")["quick"]
    assert rate == pytest.approx(0.002)
    assert 0 < accuracy < 1
    diff = json.loads(ok(versioned, "dvc", "metrics", "diff", "--json"))["reports/metrics.json"]
    change = diff["scratch.test.loss"]
    assert change["old"] != change["new"]
    assert "compact.test.loss" not in diff


def test_queued_experiments_run_apart_and_leave_the_workspace_alone(versioned: Path) -> None:
    ok(versioned, "dvc", "exp", "run", "--queue", "-S", "review_queue.budget=20,30")
    ok(versioned, "dvc", "exp", "run", "--run-all")
    assert sorted(budget for budget, _ in shown(versioned, "review_queue", "budget").values()) == [
        20,
        30,
    ]
    assert ok(versioned, "git", "status", "--porcelain") == ""
    assert repro(versioned) == []
