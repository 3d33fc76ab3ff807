import subprocess
from pathlib import Path

import pytest
import yaml

from fer_data.params import read_params
from fer_data.relabels import read_relabels
from fer_data.stage import UserError
from flows import workspace
from flows.workspace import add_archive, add_weights, make_workspace, project_root


@pytest.fixture
def made(tmp_path: Path) -> Path:
    (tmp_path / "archive.zip").write_bytes(b"zip")
    folder = tmp_path / "workspace"
    overlay = {"split": {"seed": 7}}
    make_workspace(folder, archive=tmp_path / "archive.zip", overlay=overlay)
    return folder


def git(folder: Path, *words: str) -> str:
    finished = subprocess.run(
        ["git", *words], cwd=folder, capture_output=True, text=True, check=True
    )
    return finished.stdout


def test_a_workspace_is_a_clean_checkout_of_its_own(made: Path) -> None:
    assert git(made, "status", "--porcelain") == ""
    assert git(made, "log", "--format=%s").splitlines() == ["Start"]
    assert (made / "data/raw/archive.zip").read_bytes() == b"zip"
    assert "data/raw/archive.zip" not in git(made, "ls-files")
    for name in ("dvc.yaml", "fer_data/ingest.py", ".dvc/config"):
        assert (made / name).read_bytes() == (project_root() / name).read_bytes()
    assert not (made / ".venv").exists()


def test_only_the_overlaid_settings_differ(made: Path) -> None:
    ours = yaml.safe_load((project_root() / "params.yaml").read_text())
    theirs = yaml.safe_load((made / "params.yaml").read_text())
    assert theirs["split"].pop("seed") == 7
    assert ours["split"].pop("seed") == 0
    assert theirs == ours


def test_a_user_s_data_and_decisions_stay_out(tmp_path: Path, monkeypatch) -> None:
    """A project with an added archive, a lock file and decisions, as a user's clone has them."""
    project = tmp_path / "project"
    for name in ("data/raw/archive.zip.dvc", "dvc.lock", "kept.txt", ".dvc/config"):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).touch()
    accepted = project / "data/accepted"
    accepted.mkdir()
    for file in (project / "data/relabels.csv", accepted / "relabels.csv"):
        file.write_text("header\ndecision\n")
    for name in ("profile.json", "metrics.json"):
        (accepted / name).write_text("{}")
    (project / "params.yaml").write_text("a: 1\n")
    git(project, "init", "--quiet")
    git(project, "add", "--all")
    monkeypatch.setattr(workspace, "project_root", lambda: project)
    (tmp_path / "archive.zip").touch()
    folder = tmp_path / "workspace"
    make_workspace(folder, archive=tmp_path / "archive.zip", overlay={})
    tracked = set(git(folder, "ls-files").splitlines())
    assert "kept.txt" in tracked
    assert not tracked & {"dvc.lock", "data/raw/archive.zip.dvc"}
    for name in ("relabels.csv", "accepted/relabels.csv"):
        assert read_relabels(folder / "data" / name, expressions=("sad",)).empty
    for name in ("profile.json", "metrics.json"):
        assert (folder / "data/accepted" / name).read_text() == "null\n"
    assert (project / "data/relabels.csv").read_text() == "header\ndecision\n"


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(UserError, match="is not empty: name a folder that does not exist yet"):
        make_workspace(tmp_path, archive=tmp_path / "archive.zip", overlay={})
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_adding_an_archive_keeps_the_original_and_versions_the_copy(made, tmp_path) -> None:
    (tmp_path / "next.zip").write_bytes(b"next")
    words = add_archive(tmp_path / "next.zip", folder=made)
    assert "`dvc repro` rebuilds" in words
    assert (made / "data/raw/archive.zip").read_bytes() == b"next"
    assert (tmp_path / "next.zip").read_bytes() == b"next"
    assert "md5" in (made / "data/raw/archive.zip.dvc").read_text()


def test_what_cannot_be_added_is_one_line(made: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no archive at .*absent\.zip"):
        add_archive(tmp_path / "absent.zip", folder=made)
    with pytest.raises(
        UserError, match=r"no .*params\.yaml in .*: run this in a Ferflow workspace"
    ):
        add_archive(tmp_path / "absent.zip", folder=tmp_path)
    with pytest.raises(UserError, match="no model 'scratch' that takes weights: expected one of"):
        add_weights("scratch", tmp_path / "absent.h5", folder=made)
    with pytest.raises(UserError, match=r"no weights at .*absent\.h5: expected the path"):
        add_weights("mobilenetv2", tmp_path / "absent.h5", folder=made)


def test_weights_are_versioned_and_become_the_setting(made: Path, tmp_path: Path) -> None:
    (tmp_path / "some.weights.h5").write_bytes(b"weights")
    words = add_weights("mobilenetv2", tmp_path / "some.weights.h5", folder=made)
    copy = made / "data/weights/mobilenetv2/some.weights.h5"
    assert copy.read_bytes() == b"weights"
    assert "md5" in copy.with_name("some.weights.h5.dvc").read_text()
    setting = read_params(made / "params.yaml")["models"]["mobilenetv2"]["weights"]
    assert setting == "data/weights/mobilenetv2/some.weights.h5"
    assert setting in words
    assert git(made, "status", "--porcelain", "data/weights").endswith("some.weights.h5.dvc\n")
