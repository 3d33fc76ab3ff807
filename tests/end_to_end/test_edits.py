"""A decision that is made while a stage runs is applied, refused or named as waiting, never lost."""

import json
from pathlib import Path

import pytest

from fer_data.annotation.pending_decisions import waiting
from fer_data.core.tables import read_table
from tests.support.flows.typed_commands import call, ok
from tests.support.warm.programs import warm_programs

pytestmark = pytest.mark.timeout(1500)  # the first test waits for every stage of the line

RELABELS = "data/relabels.csv"
DURING, AFTER = "during", "after"
READERS = ["rebalance", "review_queue", "quality_report"]
OTHERS = ["ingest", "validate", "split", "crossval@0", "mislabels", "tfrecords", "train@scratch"]
OTHERS += ["member_predictions@scratch", "ensemble", "evaluate@scratch", "report"]

DECIDING = """
import os, pathlib, runpy, sys

edit = pathlib.Path(os.environ["EDITS"], os.environ["DVC_STAGE"])

def decide():
    with open("data/relabels.csv", "a") as file:
        file.write(edit.read_text())
    edit.unlink()

if edit.exists() and os.environ["EDIT_MOMENT"] == "during":
    from fer_data.stages.input_changes import Inputs
    check = Inputs.check_code
    def check_and_decide(self, *, since):
        check(self, since=since)
        decide()
    Inputs.check_code = check_and_decide
del sys.argv[0]
try:
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
finally:
    if edit.exists():
        decide()
"""
"""Runs a stage, and makes a decision when it has looked at its inputs, or when it has ended."""


def run(workspace: Path, lines: dict[str, str], moment: str) -> tuple[int, str]:
    """Runs stages, during each of which, or after it, somebody decides; gives code and output."""
    tools, edits = workspace.parent / "tools", workspace.parent / "edits"
    tools.mkdir()
    edits.mkdir()
    (workspace / "deciding.py").write_text(DECIDING)
    (tools / "python").write_text(
        f'#!/bin/sh\nshift; exec {warm_programs()}/python -m deciding "$@"'
    )
    (tools / "python").chmod(0o755)
    for stage, line in lines.items():
        (edits / stage).write_text(line)
    variables = [f"EDITS={edits}", f"EDIT_MOMENT={moment}"]
    stages = " ".join(lines)
    script = f'PATH="{tools}:$PATH" exec dvc repro --force --single-item --keep-going {stages}'
    finished = call(workspace, "env", *variables, "sh", "-c", script)
    assert not list(edits.iterdir()), finished.stdout + finished.stderr
    return finished.returncode, finished.stdout + finished.stderr


def decisions(workspace: Path, stages: list[str], moment: str) -> tuple[list[str], dict[str, str]]:
    """A face of `train` for each stage, and the lines that give them another label.

    The note makes them other lines in each test: they share DVC's run cache, and a run that was
    recorded with a decision that it had not read is handed on by it (and named as waiting again).
    """
    faces = read_table(workspace / "data/curated/examples.parquet")
    happy = faces[(faces["split"] == "train") & (faces["label"] == "happy")]
    hashes = happy["pixel_hash"].drop_duplicates().tolist()[: len(stages)]
    return hashes, {
        stage: f"{pixel_hash},happy,surprise,ann,2026-01-01T00:00:00Z,{moment} {stage}\n"
        for stage, pixel_hash in zip(stages, hashes, strict=True)
    }


def are_applied(workspace: Path, pixel_hashes: list[str]) -> bool:
    examples = read_table(workspace / "data/curated/examples.parquet")
    labels = examples.set_index("pixel_hash").loc[pixel_hashes, "label"]
    return set(labels) == {"surprise"}


def test_stages_that_read_decisions_refuse_those_made_meanwhile(workspace: Path) -> None:
    hashes, lines = decisions(workspace, READERS, DURING)
    code, printed = run(workspace, lines, DURING)
    assert code != 0
    for stage in READERS:
        assert f"error: {RELABELS} changed while '{stage}' ran" in printed
    ok(workspace, "dvc", "repro", *READERS)
    assert are_applied(workspace, hashes)


def test_stages_that_read_none_leave_them_to_those_that_do(workspace: Path) -> None:
    hashes, lines = decisions(workspace, OTHERS, DURING)
    code, printed = run(workspace, lines, DURING)
    assert code == 0, printed
    assert "rebalance" in json.loads(ok(workspace, "dvc", "status", "--json"))
    (words,) = waiting(workspace)
    assert words.startswith(f"{len(OTHERS)} decisions of ")
    assert words.endswith(" are not yet applied: `dvc repro`")
    ok(workspace, "dvc", "repro", "rebalance")
    assert are_applied(workspace, hashes)


@pytest.mark.parametrize("stage", ["rebalance", "review_queue"])
def test_one_made_before_dvc_records_is_named_with_what_applies_it(
    workspace: Path, stage: str
) -> None:
    hashes, lines = decisions(workspace, [stage], AFTER)
    code, printed = run(workspace, lines, AFTER)
    assert code == 0, printed
    assert stage not in json.loads(ok(workspace, "dvc", "status", "--json", stage))
    remedy = f"`dvc repro --force --single-item {stage}`, then `dvc repro`"
    assert [words for words in waiting(workspace) if words.endswith(remedy)]
    ok(workspace, "dvc", "repro", "--force", "--single-item", stage)
    ok(workspace, "dvc", "repro", "rebalance", "review_queue")
    assert are_applied(workspace, hashes)
    assert waiting(workspace) == []
