"""The folder of a Ray node."""

from pathlib import Path

import pytest

from fer_data.core.errors import UserError
from flows.execution.ray_worker import NODE_FOLDER, node_folder


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv(NODE_FOLDER, raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_a_node_makes_a_folder_that_is_its_user_s_alone() -> None:
    folder = node_folder()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert node_folder() == folder


def test_a_folder_that_others_prepared_is_refused(temporary: Path) -> None:
    folder = node_folder()
    folder.chmod(0o777)
    with pytest.raises(UserError, match=f"others can write to it: remove it, or set {NODE_FOLDER}"):
        node_folder()
    folder.rmdir()
    (temporary / "theirs").mkdir()
    folder.symlink_to(temporary / "theirs")
    with pytest.raises(UserError, match="belongs to somebody else"):
        node_folder()


def test_a_folder_of_another_user_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = node_folder()
    monkeypatch.setenv(NODE_FOLDER, str(folder))
    monkeypatch.setattr("os.getuid", lambda: folder.stat().st_uid + 1)
    with pytest.raises(UserError, match="belongs to somebody else"):
        node_folder()
