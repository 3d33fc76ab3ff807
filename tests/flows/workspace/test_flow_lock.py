import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fer_data.core.errors import UserError
from flows.workspace.flow_lock import DVC_LOCK, clear_left_locks, one_at_a_time
from tests.support.flows.tiny_graph import make_line, stage, write
from tests.support.flows.typed_commands import ok, repro


@pytest.fixture
def line(tmp_path: Path) -> Path:
    return make_line(
        tmp_path / "line", {"only": stage(write("only"), deps=["source"], outs=["only"])}
    )


def lock(line: Path, text: str) -> None:
    (line / DVC_LOCK).write_text(text)


def test_half_a_lock_is_removed(line: Path) -> None:
    lock(line, '{"write": {')
    with pytest.raises(AssertionError, match="JSON structure is corrupted"):
        repro(line)
    clear_left_locks(line)
    assert repro(line) == ["only"]


def test_a_number_that_another_process_has_by_now_locks_nothing(line: Path) -> None:
    holder = {"pid": os.getpid(), "cmd": "dvc repro -s only"}
    lock(line, json.dumps({"write": {str(line / "only"): holder}, "read": {"x": [holder]}}))
    with pytest.raises(AssertionError, match="is busy"):
        repro(line)
    clear_left_locks(line)
    assert json.loads((line / DVC_LOCK).read_text()) == {"write": {}, "read": {}}
    assert repro(line) == ["only"]


def test_a_living_dvc_keeps_its_locks(line: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", "input()", "dvc"], stdin=subprocess.PIPE, text=True
    ) as process:
        holder = {"pid": process.pid, "cmd": "dvc repro"}
        held: dict[str, Any] = {"write": {"a": holder}, "read": {"b": [holder, {**holder}]}}
        lock(line, json.dumps(held))
        clear_left_locks(line)
        assert json.loads((line / DVC_LOCK).read_text()) == held
        process.communicate("\n")


def test_one_flow_holds_a_workspace(line: Path) -> None:
    with (
        one_at_a_time(line),
        pytest.raises(UserError, match=f"a flow runs in {line} already, as process {os.getpid()}"),
        one_at_a_time(line),
    ):
        pytest.fail("two flows in one workspace")
    with one_at_a_time(line):
        ok(line, "dvc", "status")
