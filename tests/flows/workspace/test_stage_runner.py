import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from fer_data.stages.input_changes import changed_error
from flows.pipeline.tasks import EDITS_BORNE, run_once
from flows.workspace.client import environment
from flows.workspace.retry_policy import StageError
from flows.workspace.stage_runner import RAN, RESTORED, UNCHANGED, outcomes, run_stage
from tests.support.flows.tiny_graph import make_line, stage, write
from tests.support.flows.typed_commands import ok


def run(line: Path, *, minutes: float = 5.0) -> tuple[str, list[str]]:
    lines: list[str] = []
    outcome = run_stage(
        "only",
        workspace=line,
        environment=environment(),
        timeout_minutes=minutes,
        stop=threading.Event(),
        on_line=lines.append,
    )
    return outcome, lines


def test_a_stage_runs_once_and_is_restored_where_its_outputs_are_gone(tmp_path: Path) -> None:
    code = write("only", after='print("a word")')
    line = make_line(tmp_path / "line", {"only": stage(code, deps=["source"], outs=["only"])})
    outcome, lines = run(line)
    assert outcome == RAN
    assert "a word" in lines
    assert not any("git add" in text for text in lines)
    assert run(line)[0] == UNCHANGED
    (line / "dvc.lock").unlink()
    (line / "only").unlink()
    assert run(line)[0] == RESTORED
    assert ok(line, "dvc", "status").strip() == "Data and pipelines are up to date."


def test_a_stage_that_hangs_is_ended(tmp_path: Path) -> None:
    code = "import time; time.sleep(1000)"
    line = make_line(tmp_path / "line", {"only": stage(code, deps=["source"], outs=["only"])})
    with pytest.raises(StageError, match=r"only: ended after 0\.05 minutes") as caught:
        run(line, minutes=0.05)
    assert caught.value.retryable


@pytest.mark.parametrize(
    ("code", "reason", "retryable"),
    [
        ('raise SystemExit("error: a bad setting")', "only: a bad setting", False),
        ("import os; os.kill(os.getpid(), 9)", "only: killed by signal 9", True),
        (
            "import errno, os; raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))",
            "exited with 1",
            True,
        ),
    ],
)
def test_a_failure_says_why(tmp_path: Path, code: str, reason: str, retryable: bool) -> None:
    line = make_line(tmp_path / "line", {"only": stage(code, deps=["source"], outs=["only"])})
    with pytest.raises(StageError, match=reason) as caught:
        run(line)
    assert caught.value.retryable is retryable


def test_a_log_of_many_stages_says_what_became_of_each() -> None:
    log = [
        "Stage 'a' didn't change, skipping",
        "Stage 'b' is cached - skipping run, checking out outputs",
        "Running stage 'c@1':",
    ]
    assert list(outcomes(log)) == [("b", RESTORED), ("c@1", RAN)]


EDIT = (
    "import pathlib; from fer_data.stages.stage import run; "
    'source = pathlib.Path("source"); read = source.read_text(); '
    'tries = pathlib.Path("../tries"); tries.open("a").write("x"); '
    'run(lambda: (pathlib.Path("only").write_text(read), '
    'source.write_text("2") if len(tries.read_text()) <= EDITS else 0) and None)'
)
"""A stage whose source somebody edits while it runs, in the first few runs."""


def edited_line(folder: Path, *, edits: int) -> Path:
    only = stage(EDIT.replace("EDITS", str(edits)), deps=["source"], outs=["only"])
    return make_line(folder / "line", {"only": only})


def test_dvc_records_nothing_of_a_stage_whose_source_was_edited(tmp_path: Path) -> None:
    line = edited_line(tmp_path, edits=1)
    with pytest.raises(StageError, match="source changed while 'only' ran") as caught:
        run(line)
    assert caught.value.is_of_an_edit
    assert not (line / "dvc.lock").exists()
    assert run(line)[0] == RAN
    assert (line / "only").read_text() == (line / "source").read_text() == "2"


class Edited:
    """An executor whose stages are edited a few times."""

    description = ""

    def __init__(self, edits: int) -> None:
        self.edits, self.runs = edits, 0

    def run(self, stage: str, *, on_line: Callable[[str], None]) -> str:
        on_line(stage)
        self.runs += 1
        if self.runs <= self.edits:
            raise StageError(stage, str(changed_error(["source"], stage)), True)
        return RAN

    def close(self) -> None: ...


@pytest.mark.parametrize("edits", [0, 1, EDITS_BORNE])
def test_an_edited_stage_runs_again_at_once(edits: int) -> None:
    executor = Edited(edits)
    assert run_once("only", executor, on_line=print) == RAN
    assert executor.runs == edits + 1


def test_one_that_is_edited_again_and_again_is_left_to_later() -> None:
    executor = Edited(99)
    with pytest.raises(StageError, match="source changed"):
        run_once("only", executor, on_line=print)
    assert executor.runs == EDITS_BORNE + 1
