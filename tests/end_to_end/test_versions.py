"""The archive, the faces and the models travel by a remote, and earlier states come back."""

from pathlib import Path

import pytest

from fer_data.synthetic.drawn_archive import write_sample
from flows.workspace.client import commit
from tests.support.flows.typed_commands import fingerprints, ok, repro, set_param

pytestmark = pytest.mark.timeout(1500)  # the first test waits for every stage of the line


@pytest.fixture
def versioned(workspace: Path, tmp_path: Path) -> Path:
    """The workspace with its archive added, and a local remote that everything was pushed to."""
    ok(workspace, "ferflow", "add", "data/raw/archive.zip")
    repro(workspace)
    ok(workspace, "dvc", "remote", "add", "--default", "store", str(tmp_path / "store"))
    commit(workspace, "Version the archive")
    ok(workspace, "dvc", "push", "--quiet")
    return workspace


def artifacts(workspace: Path) -> dict[str, str]:
    folders = [workspace / name for name in ("data/faces", "data/tfrecords", "models")]
    found = fingerprints(*folders)
    assert len(found) > 8
    return found


def test_a_second_machine_pulls_everything_and_trains_nothing(versioned: Path, tmp_path) -> None:
    second = tmp_path / "second"
    ok(tmp_path, "git", "clone", "--quiet", str(versioned), str(second))
    assert not (second / "models").exists()
    ok(second, "dvc", "pull", "--quiet")
    assert artifacts(second) == artifacts(versioned)
    assert fingerprints(second / "data/raw")["data/raw/archive.zip"]
    assert repro(second) == []


def test_an_earlier_state_comes_back_byte_for_byte(versioned: Path, tmp_path: Path) -> None:
    earlier = artifacts(versioned)
    revision = ok(versioned, "git", "rev-parse", "HEAD").strip()
    write_sample(tmp_path / "next.zip", num_faces=500, seed=1)
    ok(versioned, "ferflow", "add", str(tmp_path / "next.zip"))
    set_param(versioned, "models.scratch", "epochs", 1)
    # These two alone: the stages between them would take a minute, and come back no otherwise.
    changed = ["ingest", "train@scratch"]
    assert repro(versioned, "--single-item", *changed) == changed
    commit(versioned, "Next archive")
    later = artifacts(versioned)
    assert not set(earlier.values()) & {
        later[name] for name in earlier if name.endswith(("pixels.npy", "scratch/model.keras"))
    }

    ok(versioned, "git", "checkout", "--quiet", revision)
    ok(versioned, "dvc", "checkout", "--quiet")
    assert artifacts(versioned) == earlier
    assert repro(versioned) == []
