"""Experiments as the documentation shows them: one setting from the command line, compared, queued."""

import json
from pathlib import Path

import pytest

from flows.workspace import commit
from tests.end_to_end.commands import ok, repro

pytestmark = pytest.mark.timeout(1500)  # the first test waits for every stage of the line


@pytest.fixture
def versioned(workspace: Path) -> Path:
    """The workspace with its archive versioned, so that experiments in folders of their own find it."""
    ok(workspace, "ferflow", "add", "data/raw/archive.zip")
    repro(workspace)
    commit(workspace, "Version the archive")
    return workspace


def shown(workspace: Path, section: str) -> dict[str, tuple[float, float]]:
    """Each experiment's step size, of that section of the settings, and test accuracy, by name."""
    found = {}
    for revision in json.loads(ok(workspace, "dvc", "exp", "show", "--json")):
        for experiment in revision["experiments"] or []:
            data = experiment["revs"][0]["data"]
            settings = data["params"]["params.yaml"]["data"]
            *above, model = section.split(".")
            for name in above:
                settings = settings[name]
            metrics = data["metrics"]["reports/metrics.json"]["data"][model]
            found[experiment["name"]] = (
                settings[model]["learning_rate"],
                metrics["test"]["accuracy"],
            )
    return found


def test_an_experiment_changes_a_setting_and_is_shown_beside_the_others(versioned: Path) -> None:
    words = ("dvc", "exp", "run", "--name", "quick", "-S", "models.scratch.learning_rate=0.002")
    printed = ok(versioned, *words)
    assert "Running stage 'train@scratch'" in printed
    assert "Running stage 'crossval@0'" not in printed
    rate, accuracy = shown(versioned, "models.scratch")["quick"]
    assert rate == pytest.approx(0.002)
    assert 0 < accuracy < 1


def test_queued_experiments_run_apart_and_leave_the_workspace_alone(versioned: Path) -> None:
    ok(versioned, "dvc", "exp", "run", "--queue", "-S", "ensemble.learning_rate=0.003,0.004")
    ok(versioned, "dvc", "exp", "run", "--run-all")
    assert sorted(rate for rate, _ in shown(versioned, "ensemble").values()) == [0.003, 0.004]
    assert ok(versioned, "git", "status", "--porcelain") == ""
    assert repro(versioned) == []
