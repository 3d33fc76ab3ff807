import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
import yaml

from fer_data.annotation.decision_log import read_decisions
from fer_data.core.errors import UserError
from fer_data.core.git_environment import REPOSITORY_VARIABLES
from fer_data.stages.settings import read_params
from flows.workspace import client, template
from flows.workspace.create import add_archive, add_weights, make_workspace
from flows.workspace.template import project_root


@pytest.fixture
def made(tmp_path: Path) -> Path:
    (tmp_path / "archive.zip").write_bytes(b"zip")
    folder = tmp_path / "workspace"
    overrides = {"split": {"seed": 7}}
    make_workspace(folder, archive=tmp_path / "archive.zip", overrides=overrides)
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
    for name in ("dvc.yaml", "fer_data/ingestion/ingest.py", ".dvc/config"):
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
    of_data = {"data/raw/archive.zip.dvc", "data/raw/mapping.csv", "dvc.lock"}
    for name in (*of_data, "kept.txt", ".dvc/config"):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).touch()
    accepted = project / "data/accepted"
    accepted.mkdir()
    for file in (project / "data/relabels.csv", accepted / "relabels.csv"):
        file.write_text("header\ndecision\n")
    (project / "data/votes.csv").write_text("pixel_hash,sad\n")
    for name in ("profile.json", "metrics.json"):
        (accepted / name).write_text("{}")
    (project / "params.yaml").write_text("pipeline: {models: {}}\n")
    git(project, "init", "--quiet")
    git(project, "add", "--all")
    monkeypatch.setattr(template, "_packages_root", lambda: project)
    (tmp_path / "archive.zip").touch()
    folder = tmp_path / "workspace"
    make_workspace(folder, archive=tmp_path / "archive.zip", overrides={})
    tracked = set(git(folder, "ls-files").splitlines())
    assert "kept.txt" in tracked
    assert not tracked & of_data
    for name in ("relabels.csv", "accepted/relabels.csv"):
        assert read_decisions(folder / "data" / name, expressions=("sad",)).empty
    for name in ("profile.json", "metrics.json"):
        assert (folder / "data/accepted" / name).read_text() == "null\n"
    assert (folder / "data/votes.csv").read_text() == "pixel_hash\n"
    assert (project / "data/relabels.csv").read_text() == "header\ndecision\n"


def test_a_file_in_the_workspace_s_place_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(UserError, match=r"thesis\.txt is a file: name a folder that does not"):
        make_workspace(tmp_path / "thesis.txt", archive=tmp_path / "archive.zip", overrides={})
    assert (tmp_path / "thesis.txt").read_text() == "mine"


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(UserError, match="is not empty: name a folder that does not exist yet"):
        make_workspace(tmp_path, archive=tmp_path / "archive.zip", overrides={})
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_repository_in_the_environment_is_not_the_workspace_s(
    tmp_path: Path, monkeypatch, elsewhere: Path
) -> None:
    """As git sets it for the hooks of a linked worktree."""
    (elsewhere / "staged.txt").write_text("half done")
    git(elsewhere, "add", "staged.txt")
    monkeypatch.setenv("GIT_DIR", str(elsewhere / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(elsewhere))
    monkeypatch.setenv("GIT_INDEX_FILE", str(elsewhere / ".git/index"))
    (tmp_path / "archive.zip").touch()
    folder = tmp_path / "workspace"
    make_workspace(folder, archive=tmp_path / "archive.zip", overrides={})
    write_zip(tmp_path / "next.zip", "next")
    (folder / "data/raw/archive.zip").unlink()
    add_archive(tmp_path / "next.zip", folder=folder)
    assert client.revision(folder) != client.revision(elsewhere)
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name)
    assert git(elsewhere, "log", "--format=%s") == "Mine\n"
    assert git(elsewhere, "status", "--porcelain") == "A  staged.txt\n"
    assert git(folder, "log", "--format=%s") == "Start\n"


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A person's own repository, with a commit."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch=main")
    identity = ("-c", "user.name=Ann", "-c", "user.email=ann@localhost")
    git(folder, *identity, "commit", "--quiet", "--allow-empty", "--message", "Mine")
    return folder


def test_git_names_the_variables_that_are_dropped() -> None:
    """All that git itself drops before it turns to another repository, settings aside."""
    names = set(git(Path(), "rev-parse", "--local-env-vars").split())
    settings = {name for name in names if name.startswith("GIT_CONFIG")}
    assert names - settings <= REPOSITORY_VARIABLES


@pytest.mark.parametrize("identity", [True, False])
def test_a_person_s_settings_of_git_do_not_stop_the_first_commit(
    tmp_path: Path, monkeypatch, identity: bool
) -> None:
    template = tmp_path / "template"
    for folder in (tmp_path / "hooks", template / "hooks"):
        folder.mkdir(parents=True)
        (folder / "pre-commit").write_text("#!/bin/sh\nexit 1\n")
        (folder / "pre-commit").chmod(0o755)
    (tmp_path / "ignored").write_text("*.csv\n")
    settings = f"""
        [commit]
        gpgSign = true
        [gpg]
        program = /bin/false
        [core]
        hooksPath = {tmp_path / "hooks"}
        excludesFile = {tmp_path / "ignored"}
        [init]
        templateDir = {template}
        defaultObjectFormat = sha256
        [user]
        useConfigOnly = true
        """
    if identity:
        settings += "name = Ann\nemail = ann@localhost\n"
    (tmp_path / "gitconfig").write_text(settings)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("GIT_DEFAULT_HASH", "sha256")
    (tmp_path / "archive.zip").touch()
    folder = tmp_path / "workspace"
    make_workspace(folder, archive=tmp_path / "archive.zip", overrides={})
    assert git(folder, "log", "--format=%s by %an %G?") == "Start by Ferflow N\n"
    assert "data/relabels.csv" in git(folder, "ls-files").splitlines()
    assert len(client.revision(folder) or "") == 40  # as DVC reads
    assert not (folder / ".git/hooks").exists()


def write_zip(file: Path, content: str) -> bytes:
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("Training/Angry/a.png", content)
    return file.read_bytes()


def test_adding_an_archive_keeps_the_original_and_versions_the_copy(made, tmp_path) -> None:
    (made / "data/raw/archive.zip").unlink()
    first = write_zip(tmp_path / "first.zip", "first")
    add_archive(tmp_path / "first.zip", folder=made)
    following = write_zip(tmp_path / "next.zip", "next")
    words = add_archive(tmp_path / "next.zip", folder=made)
    assert "`dvc repro` rebuilds" in words
    assert (made / "data/raw/archive.zip").read_bytes() == following
    assert (tmp_path / "first.zip").read_bytes() == first
    assert (tmp_path / "next.zip").read_bytes() == following
    assert "md5" in (made / "data/raw/archive.zip.dvc").read_text()


def test_an_archive_that_only_the_workspace_has_is_kept(made: Path, tmp_path: Path) -> None:
    raw = made / "data/raw/archive.zip"
    by_hand = write_zip(raw, "by hand")
    write_zip(tmp_path / "next.zip", "next")
    message = r"archive\.zip is another file, which DVC does not hold .*: `dvc add data/raw"
    with pytest.raises(UserError, match=message):
        add_archive(tmp_path / "next.zip", folder=made)
    assert raw.read_bytes() == by_hand
    add_archive(raw, folder=made)
    edited = write_zip(raw, "edited since")
    with pytest.raises(UserError, match=message):
        add_archive(tmp_path / "next.zip", folder=made)
    assert raw.read_bytes() == edited
    add_archive(raw, folder=made)
    add_archive(tmp_path / "next.zip", folder=made)
    assert raw.read_bytes() == (tmp_path / "next.zip").read_bytes()


def test_weights_that_only_the_workspace_has_are_kept(made: Path, tmp_path: Path) -> None:
    kept = made / "data/weights/mobilenetv2/some.weights.h5"
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_bytes(b"trained for days")
    (tmp_path / "some.weights.h5").write_bytes(b"others")
    with pytest.raises(UserError, match="is another file, which DVC does not hold"):
        add_weights("mobilenetv2", tmp_path / "some.weights.h5", folder=made)
    assert kept.read_bytes() == b"trained for days"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<!DOCTYPE html><title>Sign in</title>", r"is not a zip: it begins with b'<!DOCTYPE"),
        (b"", r"is empty \(0 bytes\), expected a zip"),
        (b"PK\5\6" + bytes(18), r"is a zip without a file in it"),
    ],
    ids=["a page", "nothing", "an empty zip"],
)
def test_what_is_no_archive_is_not_added(made, tmp_path: Path, content, message) -> None:
    (tmp_path / "download.zip").write_bytes(content)
    before = (made / "data/raw/archive.zip").read_bytes()
    with pytest.raises(UserError, match=message):
        add_archive(tmp_path / "download.zip", folder=made)
    assert (made / "data/raw/archive.zip").read_bytes() == before
    assert not (made / "data/raw/archive.zip.dvc").exists()


def test_dvc_says_why_it_adds_nothing(made: Path) -> None:
    write_zip(made / "data/raw/archive.zip", "new")
    shutil.rmtree(made / ".dvc")
    with pytest.raises(
        UserError, match=r"^`dvc add` failed in .*: ERROR: .*not inside of a DVC repository"
    ) as told:
        add_archive(made / "data/raw/archive.zip", folder=made)
    assert "\n" not in str(told.value)


def test_what_cannot_be_added_is_one_line(made: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no archive at .*absent\.zip"):
        add_archive(tmp_path / "absent.zip", folder=made)
    with pytest.raises(UserError, match=r"no params\.yaml in .*: not a Ferflow workspace"):
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


def test_outside_of_git_nothing_is_added(tmp_path: Path) -> None:
    folder = tmp_path / "made"
    make_workspace(folder, overrides={})
    shutil.rmtree(folder / ".git")
    archive = tmp_path / "new.zip"
    with zipfile.ZipFile(archive, "w") as content:
        content.writestr("Training/Happy/1.jpg", b"")
    with pytest.raises(UserError, match=r"is in no git repository.*`git init`"):
        add_archive(archive, folder=folder)
    assert not (folder / "data/raw/archive.zip").exists()
