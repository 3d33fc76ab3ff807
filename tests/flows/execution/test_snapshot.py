from pathlib import Path

import pytest

from fer_data.core.errors import UserError
from flows.execution.snapshot import pack, unpack
from flows.pipeline.experiments import clone_with
from flows.workspace.client import commit, git
from tests.support.flows.tiny_graph import fan, make_line
from tests.support.flows.typed_commands import ok, repro


@pytest.fixture
def line(tmp_path: Path) -> Path:
    """A workspace whose stages ran, with an edit, a new file and a removed one on top."""
    folder = make_line(tmp_path / "line", fan(), params={"oven": {"degrees": 180}})
    (folder / "gone").write_text("")
    git("add", "gone", cwd=folder)
    git("-c", "user.name=A", "-c", "user.email=a@localhost", "commit", "-qm", "Go", cwd=folder)
    repro(folder)
    (folder / "new").write_text("new")
    git("add", "new", cwd=folder)
    (folder / "gone").unlink()
    return folder


def test_a_clone_is_the_workspace_as_it_stands_and_shares_its_cache(
    line: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    unpack(pack(line), copy, cache=Path(ok(line, "dvc", "cache", "dir").strip()))
    assert (copy / "new").read_text() == "new"
    assert not (copy / "gone").exists()
    assert (copy / "dvc.lock").read_bytes() == (line / "dvc.lock").read_bytes()
    ok(copy, "dvc", "checkout", "--quiet")
    assert repro(copy) == []
    assert (copy / ".dvc/tmp/site/repo").is_dir()  # and not in /var/tmp, where it would stay


def test_of_files_that_git_does_not_know_a_clone_gets_what_stages_read(
    line: Path, tmp_path: Path
) -> None:
    graph = line / "dvc.yaml"
    graph.write_text(graph.read_text().replace("- source", "- source\n    - more\n    - folder"))
    (line / "folder").mkdir()
    for name in ("more", "folder/part", "data.dvc", ".env", "id_rsa", "folder.txt"):
        (line / name).write_text(name)
    (line / "source").write_text("staged")
    git("add", "source", cwd=line)
    packed = pack(line)
    unpack(packed, tmp_path / "copy", cache=tmp_path / "cache")
    copy = tmp_path / "copy"
    assert (copy / "source").read_text() == "staged"
    for name in ("more", "folder/part", "data.dvc"):
        assert (copy / name).read_text() == name
    for name in (".env", "id_rsa", "folder.txt"):
        assert not (copy / name).exists()
        assert name not in packed.files


@pytest.mark.parametrize("kind", ["hooksPath", "templateDir"])
def test_a_person_s_own_hooks_and_signature_stay_out_of_a_clone(
    line: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    packed = pack(line)
    hooks = tmp_path / "hooks"
    for name in ("post-checkout", "reference-transaction", "pre-commit"):
        hooks.mkdir(exist_ok=True)
        (hooks / name).write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
        (hooks / name).chmod(0o755)
    own = {
        "hooksPath": f"[core]\nhooksPath = {hooks}",
        "templateDir": f"[init]\ntemplateDir = {tmp_path}",
    }
    signed = "[commit]\ngpgSign = true\n[gpg]\nprogram = /bin/false\n"
    (tmp_path / "gitconfig").write_text(f"{signed}{own[kind]}\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    copy = tmp_path / "copy"
    unpack(packed, copy, cache=tmp_path / "cache")
    identity = ("-c", "user.name=A", "-c", "user.email=a@localhost")
    git(*identity, "commit", "--quiet", "--allow-empty", "--message", "More", cwd=copy)
    assert not (tmp_path / "ran").exists()


def test_overrides_change_the_clone_alone(line: Path, tmp_path: Path) -> None:
    before = (line / "params.yaml").read_text()
    copy = tmp_path / "clones" / "hot"
    overrides = {"oven": {"degrees": 200}}
    assert clone_with(overrides, workspace=line, folder=copy) == ["oven.degrees: 180 -> 200"]
    assert (line / "params.yaml").read_text() == before
    assert repro(copy) == []  # no stage reads that setting

    (copy / "checkpoint").touch()  # as an interrupted run leaves it
    clone_with(overrides, workspace=line, folder=copy)
    assert (copy / "checkpoint").exists()


@pytest.mark.parametrize("change", ["commit", "edit", "removal", "back"])
def test_a_clone_of_an_earlier_workspace_is_not_used_again(
    line: Path, tmp_path: Path, change: str
) -> None:
    copy, overrides = tmp_path / "clones" / "hot", {"oven": {"degrees": 200}}
    before = pack(line).key
    clone_with(overrides, workspace=line, folder=copy)
    (copy / "stale").touch()
    (copy / "checkpoints").mkdir()
    (copy / "checkpoints" / "kept").touch()
    if change == "commit":
        commit(line, "Another")
    elif change == "edit":
        (line / "source").write_text("2")
    elif change == "removal":
        (line / "source").unlink()
    else:  # a file that had been removed
        (line / "gone").write_text("")
    assert pack(line).key != before
    clone_with(overrides, workspace=line, folder=copy)
    assert not (copy / "stale").exists()
    assert (copy / "checkpoints" / "kept").exists()
    for name in ("source", "new", "gone"):
        assert (copy / name).exists() == (line / name).exists()
        if (line / name).exists():
            assert (copy / name).read_bytes() == (line / name).read_bytes()


def test_what_dvc_recorded_makes_no_other_workspace(line: Path) -> None:
    before = pack(line).key
    (line / "dvc.lock").write_text((line / "dvc.lock").read_text() + "# later\n")
    assert pack(line).key == before


def test_an_override_of_no_setting_is_refused(line: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"set 'oven\.hue', which params\.yaml does not have"):
        clone_with({"oven": {"hue": 1}}, workspace=line, folder=tmp_path / "copy")


def test_an_archive_that_is_not_versioned_is_no_clone_s(line: Path, tmp_path: Path) -> None:
    archive = line / "data/raw/archive.zip"
    archive.parent.mkdir(parents=True)
    archive.write_bytes(b"faces")
    (line / "data/raw/.gitignore").write_text("*.zip")
    with pytest.raises(UserError, match=r"is not versioned.*`ferflow add data/raw/archive\.zip`"):
        clone_with({"oven": {"degrees": 200}}, workspace=line, folder=tmp_path / "copy")
    assert not (tmp_path / "copy").exists()
    (line / "data/raw/.gitignore").unlink()
    ok(line, "dvc", "add", "data/raw/archive.zip")
    clone_with({"oven": {"degrees": 200}}, workspace=line, folder=tmp_path / "copy")
    assert (tmp_path / "copy/data/raw/archive.zip").read_bytes() == b"faces"
