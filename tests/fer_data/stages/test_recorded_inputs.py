"""A stage reads what DVC recorded of the stages above it, and nothing else."""

import hashlib
import json
import os
from pathlib import Path

import pytest
import yaml

from fer_data.core.errors import UserError
from fer_data.stages import recorded_inputs
from fer_data.stages.input_changes import watched
from fer_data.stages.recorded_inputs import check_recorded
from tests.support.flows.typed_commands import call, ok

GRAPH = {
    "stages": {
        "mill": {"cmd": "cp corn.txt flour.txt", "deps": ["corn.txt"], "outs": ["flour.txt"]},
        "sort": {
            "cmd": "mkdir -p store/deep && cp flour.txt store/b && cp corn.txt store/deep/a",
            "deps": ["flour.txt"],
            "outs": ["store"],
        },
        "bake": {"cmd": "true", "deps": ["flour.txt", "store", "corn.txt"]},
    }
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace in which DVC ran three stages."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "dvc.yaml").write_text(yaml.safe_dump(GRAPH))
    (folder / "corn.txt").write_text("corn\n" * 9)
    ok(folder, "git", "init", "--quiet")
    ok(folder, "dvc", "init", "--quiet")
    ok(folder, "dvc", "repro", "--quiet")
    return folder


@pytest.fixture
def workspace(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, in which a mismatch is told at once."""
    ok(tmp_path, "cp", "--archive", str(made), "workspace")
    monkeypatch.setattr(recorded_inputs, "_PAUSE_SECONDS", 0.0)
    monkeypatch.chdir(tmp_path / "workspace")
    return tmp_path / "workspace"


def flip(file: Path) -> None:
    """Flips a bit, and leaves time and size, as a bad disk would."""
    status = file.stat()
    file.chmod(0o644)
    data = bytearray(file.read_bytes())
    data[3] ^= 1
    file.write_bytes(data)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    file.chmod(status.st_mode)


@pytest.mark.usefixtures("workspace")
def test_what_dvc_recorded_is_taken() -> None:
    check_recorded(["flour.txt", "store", "corn.txt"])
    check_recorded(["store/deep/a"])


@pytest.mark.parametrize(
    ("file", "deps", "removed"),
    [
        ("flour.txt", ["flour.txt"], "flour.txt"),
        ("store/deep/a", ["store"], "store"),
        ("store/deep/a", ["store/b"], "store"),
        ("store/b", ["."], "store"),
    ],
)
def test_a_flipped_bit_is_named_with_what_brings_the_file_back(
    workspace: Path, file: str, deps: list[str], removed: str
) -> None:
    before = Path(file).read_bytes()
    flip(Path(file))
    digest = hashlib.md5(before).hexdigest()
    with pytest.raises(UserError) as told:
        check_recorded(deps)
    assert str(told.value) == (
        f"{file} is damaged or edited: its MD5 is not {digest}, as DVC recorded: remove {removed}, and "
        "`dvc repro` brings it back"
    )
    ok(workspace, "rm", "-r", removed)
    ok(workspace, "dvc", "repro", "sort")
    assert Path(file).read_bytes() == before


def test_a_damaged_cache_is_named_too(workspace: Path) -> None:
    before = Path("store/b").read_bytes()
    digest = hashlib.md5(before).hexdigest()
    cached = Path(".dvc/cache/files/md5", digest[:2], digest[2:])
    flip(cached)
    ok(workspace, "rm", "-r", "flour.txt")
    ok(workspace, "dvc", "repro", "mill")
    assert Path("flour.txt").read_bytes() != before  # DVC trusts its cache
    with pytest.raises(
        UserError, match=r"^flour\.txt is damaged .* so is DVC's copy; remove"
    ) as told:
        check_recorded(["flour.txt"])
    assert f"remove flour.txt and {cached}, and `dvc repro` makes it again" in str(told.value)
    ok(workspace, "rm", "-f", "flour.txt", str(cached))
    ok(workspace, "dvc", "repro", "mill")
    assert Path("flour.txt").read_bytes() == before


@pytest.mark.parametrize("lock", [None, "", "stages: [", "stages: null", "schema: '2.0'\n"])
@pytest.mark.usefixtures("workspace")
def test_without_a_record_nothing_is_compared(lock: str | None) -> None:
    flip(Path("flour.txt"))
    Path("dvc.lock").unlink() if lock is None else Path("dvc.lock").write_text(lock)
    check_recorded(["flour.txt"])


@pytest.mark.usefixtures("workspace")
def test_stages_of_earlier_versions_do_not_count() -> None:
    lock = yaml.safe_load(Path("dvc.lock").read_text())
    lock["stages"]["of_old"] = {"outs": [{"path": "flour.txt", "md5": "0" * 32, "hash": "md5"}]}
    Path("dvc.lock").write_text(yaml.safe_dump(lock))
    check_recorded(["flour.txt"])


@pytest.mark.usefixtures("workspace")
def test_a_record_that_another_dvc_is_writing_is_read_again(monkeypatch) -> None:
    whole = Path("dvc.lock").read_text()
    (out,) = yaml.safe_load(whole)["stages"]["mill"]["outs"]
    Path("dvc.lock").write_text(whole.replace(out["md5"], out["md5"][:5]))
    monkeypatch.setattr(
        recorded_inputs.time, "sleep", lambda _: Path("dvc.lock").write_text(whole) and None
    )
    check_recorded(["flour.txt"])


def test_a_stage_that_dvc_runs_ends_before_it_reads(workspace: Path, monkeypatch) -> None:
    flip(Path("store/b"))
    monkeypatch.setenv("DVC_STAGE", "bake")
    with pytest.raises(UserError, match=r"^store/b is damaged or edited"), watched():
        pytest.fail("it went on")
    monkeypatch.delenv("DVC_STAGE")
    with watched() as is_of_dvc:
        assert not is_of_dvc
    assert call(workspace, "dvc", "status").returncode == 0


def test_the_listing_of_a_folder_may_lie_elsewhere(workspace: Path) -> None:
    """As where `cache.dir` is set: the folder is named then."""
    digest = json.dumps(yaml.safe_load(Path("dvc.lock").read_text())["stages"]["sort"]["outs"])
    assert ".dir" in digest
    flip(Path("store/b"))
    ok(workspace, "mv", ".dvc/cache", "elsewhere")
    with pytest.raises(UserError, match=r"^store is damaged or edited"):
        check_recorded(["store"])
