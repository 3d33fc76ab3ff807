"""What may go of checkpoints, of clones of experiments, and of a Ray node's folder."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from fer_data.core.errors import UserError
from fer_data.core.locks import held
from flows.execution.ray_worker import node_lock
from flows.housekeeping.work_folders import (
    checkpoint_leftovers,
    clone_leftovers,
    node_leftovers,
)
from flows.workspace.graph import Graph

NOW = datetime.now(UTC)
CUTOFF = NOW - timedelta(days=60)


def leave(file: Path, *, days_ago: int) -> None:
    """Leaves a file that was written some days ago, with the folders above it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("left")
    moment = (NOW - timedelta(days=days_ago)).timestamp()
    for path in (file, *file.parents[:2]):
        os.utime(path, (moment, moment))


def files(folder: Path) -> set[str]:
    return {str(one.relative_to(folder)) for one in folder.rglob("*") if one.is_file()}


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Five trainings were interrupted. `train@waiting`, and so `ensemble`, is out of date."""
    flag = "python train.py --checkpoints checkpoints"
    stages = {
        "train": {"foreach": {"done": {}, "waiting": {}}, "do": {"cmd": f"{flag}/${{key}} --x"}},
        "crossval": {"matrix": {"fold": [0]}, "cmd": f"{flag}/crossval-${{item.fold}}"},
        "ensemble": {"cmd": f"{flag}/ensemble"},
    }
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    above = {
        "train@done": (),
        "train@waiting": (),
        "crossval@0": (),
        "ensemble": ("train@waiting",),
    }
    in_it = "flows.housekeeping.work_folders"
    monkeypatch.setattr(f"{in_it}.read_graph", lambda _: Graph(above))
    monkeypatch.setattr(f"{in_it}.changed_stages", lambda _: frozenset({"train@waiting"}))
    for name in ("done", "waiting", "crossval-0", "ensemble", "gone"):
        leave(tmp_path / f"checkpoints/{name}/0123/0/epoch-0003.npz", days_ago=90)
    leave(tmp_path / "checkpoints/done/4567/epoch-0001.npz", days_ago=3)
    return tmp_path


def test_checkpoints_stay_where_a_training_may_resume(workspace: Path) -> None:
    found = checkpoint_leftovers(workspace, cutoff=CUTOFF)
    assert (found.number, found.num_bytes) == (3, 12)
    assert found.stays == (
        "2 trainings (8 bytes), which may resume, since its stage is to rerun; "
        "1 training (4 bytes), young"
    )
    found.remove()
    assert {path for path in files(workspace / "checkpoints") if not path.endswith("lock")} == {
        *("waiting/0123/0/epoch-0003.npz", "ensemble/0123/0/epoch-0003.npz"),
        "done/4567/epoch-0001.npz",
    }


def test_checkpoints_of_a_training_that_runs_stay(workspace: Path) -> None:
    found = checkpoint_leftovers(workspace, cutoff=CUTOFF)
    with (
        held(workspace / "checkpoints/crossval-0/lock", refusal="held"),
        pytest.raises(UserError, match=r"^process \d+ trains with .*crossval-0: its checkpoints"),
    ):
        found.remove()
    assert (workspace / "checkpoints/crossval-0/0123/0/epoch-0003.npz").exists()


def test_a_clone_of_an_experiment_goes_when_nothing_in_it_is_young(tmp_path: Path) -> None:
    for clone, days_ago in (("old", 90), ("young", 90), ("young/checkpoints", 5)):
        leave(tmp_path / f".dvc/tmp/flows/{clone}/file", days_ago=days_ago)
    found = clone_leftovers(tmp_path, cutoff=CUTOFF)
    assert found.number == 1
    found.remove()
    assert files(tmp_path / ".dvc/tmp/flows") == {"young/file", "young/checkpoints/file"}


def test_a_ray_node_is_cleaned_unless_a_stage_runs_there(tmp_path: Path) -> None:
    for name, days_ago in {
        **{"cache/files/md5/ab/old": 90, "cache/files/md5/ab/young": 1},
        **{"0123/train@a/file": 90, "4567/train@a/file": 1},
    }.items():
        leave(tmp_path / name, days_ago=days_ago)
    found = node_leftovers(tmp_path, cutoff=CUTOFF)
    assert [one.number for one in found] == [1, 1]
    with (
        node_lock(tmp_path, exclusive=False),
        pytest.raises(UserError, match="a stage of a Ray cluster runs in"),
    ):
        found[0].remove()
    for one in found:
        one.remove()
    assert files(tmp_path) == {"lock", "cache/files/md5/ab/young", "4567/train@a/file"}
    assert not (tmp_path / "0123").exists()
