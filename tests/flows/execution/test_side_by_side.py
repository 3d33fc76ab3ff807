from collections.abc import Sequence
from pathlib import Path

import pytest

from flows.execution.side_by_side import run_side_by_side
from flows.workspace.graph import Graph
from flows.workspace.retry_policy import StageError
from tests.support.flows.tiny_graph import fan, make_line, stage, write

MEET = (
    'import os, time; open("at-{0}", "w"); '
    '[time.sleep(0.1) for _ in range(300) if not os.path.exists("at-{1}")]'
)
"""Waits, at most 30 s, until the other part has begun."""


def run(folder: Path, above: dict[str, Sequence[str]], *, at_once: int) -> list[str]:
    """Runs a graph; the stages in the order in which they ended."""
    ended: list[str] = []
    run_side_by_side(
        folder,
        Graph({name: tuple(needed) for name, needed in above.items()}),
        shares=[{}] * at_once,
        on_line=lambda _: None,
        on_done=lambda name, _: ended.append(name),
    )
    return ended


def test_stages_that_can_run_at_once_and_the_others_wait_for_them(tmp_path: Path) -> None:
    stages = {
        "left": stage(MEET.format("left", "right"), deps=["source"], outs=["at-left"]),
        "right": stage(MEET.format("right", "left"), deps=["source"], outs=["at-right"]),
        "last": stage(write("last"), deps=["at-left", "at-right"], outs=["last"]),
    }
    folder = make_line(tmp_path / "line", stages)
    ended = run(folder, {"left": (), "right": (), "last": ("left", "right")}, at_once=2)
    assert sorted(ended[:2]) == ["left", "right"]
    assert ended[2:] == ["last"]
    assert (folder / "last").read_text() == "word"


def test_a_stage_that_fails_ends_the_run_and_what_needs_it_never_starts(tmp_path: Path) -> None:
    stages = fan(number=1)
    stages["part"]["cmd"] = "python -c 'raise SystemExit(3)'"
    folder = make_line(tmp_path / "line", stages)
    with pytest.raises(StageError, match="part@0: "):
        run(folder, {"first": (), "part@0": ("first",), "last": ("part@0",)}, at_once=2)
    assert (folder / "first").exists()
    assert not (folder / "last").exists()
