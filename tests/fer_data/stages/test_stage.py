import errno
import logging
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fer_data.core.errors import UserError
from fer_data.core.files import atomic_write
from fer_data.stages.stage import parse_flags, run


@pytest.fixture(autouse=True)
def untouched_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


@pytest.mark.parametrize("old", [None, "old"])
def test_a_file_appears_whole(tmp_path: Path, old: str | None) -> None:
    target = tmp_path / "deep" / "file.txt"
    if old:
        target.parent.mkdir()
        target.write_text(old)
    with atomic_write(target) as beside:
        beside.write_text("new")
        assert (target.read_text() if target.exists() else None) == old
    assert target.read_text() == "new"
    assert [path.name for path in target.parent.iterdir()] == ["file.txt"]


def test_a_folder_replaces_a_folder(tmp_path: Path) -> None:
    target = tmp_path / "folder"
    target.mkdir()
    (target / "stale").touch()
    with atomic_write(target, replace_folder=True) as beside:
        beside.mkdir()
        (beside / "fresh").touch()
    assert [path.name for path in target.iterdir()] == ["fresh"]


@pytest.mark.parametrize("kind", ["file", "folder"])
@pytest.mark.parametrize("link", [False, True])
@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_a_folder_that_the_caller_does_not_own_stays(
    tmp_path: Path, kind: str, link: bool, when: str
) -> None:
    target = tmp_path / "target"

    def make_folder() -> None:
        folder = tmp_path / "elsewhere" if link else target
        folder.mkdir()
        (folder / "thesis.txt").write_text("years")
        if link:
            target.symlink_to(folder)

    def write() -> None:
        with atomic_write(target) as beside:
            assert when == "meanwhile"  # else no work is done
            if kind == "folder":
                beside.mkdir()
            else:
                beside.touch()
            make_folder()

    if when == "before":
        make_folder()
    words = "a link to a folder" if link else "a folder"
    with pytest.raises(UserError, match=rf"target is {words}, which is not replaced"):
        write()
    assert (target / "thesis.txt").read_text() == "years"
    assert target.is_symlink() == link
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_is_renamed_is_on_the_disk(tmp_path: Path, monkeypatch, kind: str) -> None:
    """A power cut after the renaming finds all of the content, and the renaming itself."""
    target, synced = tmp_path / "target", []
    fsync = os.fsync

    def noted(descriptor: int) -> None:
        status = os.fstat(descriptor)
        synced.append((status.st_ino, status.st_size, target.exists()))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    with atomic_write(target) as beside:
        file = beside
        if kind == "folder":
            beside.mkdir()
            file = beside / "file"
        file.write_text("whole")
    written = target / "file" if kind == "folder" else target
    assert (written.stat().st_ino, len("whole"), False) in synced
    assert synced[-1] == (tmp_path.stat().st_ino, tmp_path.stat().st_size, True)


def test_file_systems_that_cannot_wait_for_a_folder_are_written_to(
    tmp_path: Path, monkeypatch
) -> None:
    fsync = os.fsync

    def no_folders(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", no_folders)
    with atomic_write(tmp_path / "target") as beside:
        beside.write_text("whole")
    assert (tmp_path / "target").read_text() == "whole"


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_failure_leaves_what_was_there(tmp_path: Path, kind: str) -> None:
    target = tmp_path / "target"
    target.write_text("old")

    def fail() -> None:
        with atomic_write(target) as beside:
            if kind == "folder":
                beside.mkdir()
                beside = beside / "half"
            beside.write_text("half")
            raise RuntimeError("disk full")

    with pytest.raises(RuntimeError, match="disk full"):
        fail()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_what_a_killed_process_left_is_cleared(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from fer_data.core.files import atomic_write\n"
        "with atomic_write(Path(sys.argv[1])) as beside:\n"
        "    beside.mkdir(); (beside / 'half').touch(); os.kill(os.getpid(), 9)"
    )
    target = tmp_path / "target"
    killed = subprocess.run([sys.executable, "-c", code, str(target)], check=False)
    assert killed.returncode == -9
    assert [path.name for path in tmp_path.rglob("*") if path.name == "half"]
    with atomic_write(target) as beside:
        beside.write_text("whole")
    assert [path.name for path in tmp_path.iterdir()] == ["target"]


def test_nothing_of_anybody_else_s_beside_is_touched(tmp_path: Path) -> None:
    """Neither a file of that name, nor what another writer of the same target is at."""
    (tmp_path / ".target.unfinished").write_text("mine")
    target = tmp_path / "target"
    with atomic_write(target) as slow:
        slow.write_text("slow")
        with atomic_write(target) as quick:
            quick.write_text("quick")
        assert target.read_text() == "quick"
    assert target.read_text() == "slow"
    assert (tmp_path / ".target.unfinished").read_text() == "mine"
    assert len(list(tmp_path.iterdir())) == 2


def test_flags_are_paths_and_typed_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["stage", "--label-quality", "a/b.parquet", "--fold", "3"])
    flags = parse_flags("What it does.", "label_quality", fold=int)
    assert flags.label_quality == Path("a/b.parquet")
    assert flags.fold == 3


def test_a_user_error_is_one_line_and_an_exit_code() -> None:
    def main() -> None:
        raise UserError("got 3, expected 4: mend it")

    with pytest.raises(SystemExit, match=r"^error: got 3, expected 4: mend it$") as exit_info:
        run(main)
    assert exit_info.value.code not in (0, None)


def test_libraries_are_heard_only_when_they_warn(capsys: pytest.CaptureFixture[str]) -> None:
    def main() -> None:
        logging.getLogger("fer_data.splitting.split").info("ours")
        logging.getLogger("noisy.library").info("chatter")
        logging.getLogger("noisy.library").warning("trouble")

    logging.getLogger().handlers.clear()
    run(main)
    assert capsys.readouterr().err.splitlines() == ["ours", "trouble"]


@pytest.mark.parametrize(
    ("number", "remedy"), [(errno.ENOSPC, "free some, and try again"), (errno.EACCES, "see who")]
)
def test_a_full_disk_and_missing_rights_are_one_line(number: int, remedy: str) -> None:
    def main() -> None:
        raise OSError(number, os.strerror(number), "data/faces")

    with pytest.raises(SystemExit, match=rf"^error: {os.strerror(number)}: data/faces: {remedy}"):
        run(main)


@pytest.mark.parametrize(
    ("name", "printed"),
    [
        (os.fsdecode(b"caf\xe9.jpg"), r"caf\xe9.jpg"),
        (b"caf\xe9.jpg", r"caf\xe9.jpg"),
        ("two\nlines\x1b[2J", r"two\nlines\x1b[2J"),
        ("fröhlich 幸.jpg", "fröhlich 幸.jpg"),
    ],
)
def test_any_name_is_printed_on_one_line(name: str | bytes, printed: str) -> None:
    def main() -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO), name)

    with pytest.raises(SystemExit) as exit_info:
        run(main)
    message = str(exit_info.value)
    assert message == f"error: Input/output error: {printed}"
    message.encode()


def test_no_user_error_steers_a_terminal() -> None:
    def main() -> None:
        raise UserError("no \x1b[2J\x9b\r:\n\ta \N{NARROW NO-BREAK SPACE}list")

    with pytest.raises(SystemExit) as exit_info:
        run(main)
    assert exit_info.value.code == "error: no \\x1b[2J\\x9b\\r:\n\ta \N{NARROW NO-BREAK SPACE}list"


def test_both_names_of_a_renaming_are_told() -> None:
    def main() -> None:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), "a", None, "b")

    with pytest.raises(SystemExit, match=r"^error: Invalid cross-device link: a -> b$"):
        run(main)


def test_errors_that_libraries_call_the_system_s_keep_their_traceback() -> None:
    def main() -> None:
        raise OSError("no number")

    with pytest.raises(OSError, match="no number"):
        run(main)


@pytest.mark.parametrize("module", ["fer_data.ingestion.ingest", "fer_models.training.train"])
def test_a_python_without_our_packages_says_so_in_one_line(module: str) -> None:
    root = Path(__file__).parents[3]
    words = [sys.executable, "-S", "-m", module]  # without site-packages, like the system's
    finished = subprocess.run(words, cwd=root, capture_output=True, text=True, check=False)
    assert finished.returncode == 1
    assert finished.stderr.startswith(f"error: {sys.executable} is not the Python that Ferflow")
    assert len(finished.stderr.splitlines()) == 1
