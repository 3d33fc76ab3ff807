"""The log of epochs says in a line what DVCLive lacks."""

import subprocess
from pathlib import Path

import pytest

from fer_data.core.errors import UserError
from fer_models.training.callbacks import EpochLog
from flows.workspace.client import commit, dvc


def test_a_repository_without_a_commit_is_one_line(tmp_path: Path, monkeypatch) -> None:
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    dvc("init", "--quiet", cwd=tmp_path)
    monkeypatch.chdir(tmp_path)
    logs = tmp_path / "logs"
    logs.mkdir()
    with pytest.raises(
        UserError, match=r"^DVCLive finds no commit here .*: `git add --all && git"
    ) as told:
        EpochLog(logs, earlier=[])
    assert "\n" not in str(told.value)
    commit(tmp_path, "Start")
    EpochLog(logs, earlier=[]).close()
