"""A decision that is made while a stage runs is applied, refused or named as waiting, never lost."""

import json
import sys
from pathlib import Path

import pytest

from fer_data.annotation.pending_decisions import waiting
from fer_data.core.tables import read_table
from tests.support.flows.typed_commands import call, ok

pytestmark = pytest.mark.timeout(1500)  # the first test waits for every stage of the line

RELABELS = "data/relabels.csv"
DURING, AFTER = "during", "after"
READERS = ["rebalance", "review_queue", "quality_report"]
OTHERS = ["ingest", "validate", "split", "crossval@0", "mislabels", "tfrecords", "train@scratch"]
OTHERS += ["frozen@scratch", "ensemble", "evaluate@scratch", "report"]

SHIM = """#!{python}
import os, pathlib, runpy, subprocess, sys

def decide():
    with open("data/relabels.csv", "a") as file:
        file.write(pathlib.Path(os.environ["EDIT"]).read_text())
    os.remove(os.environ["EDIT"])

due = os.environ["DVC_STAGE"] == os.environ["EDIT_STAGE"] and os.path.exists(os.environ["EDIT"])
if due and os.environ["EDIT_MOMENT"] == "during":
    sys.path.insert(0, "")
    from fer_data.stages import input_changes
    check = inputs.Inputs.check_code
    def check_and_decide(self, *, since):
        check(self, since=since)
        decide()
    inputs.Inputs.check_code = check_and_decide
    sys.argv = sys.argv[2:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
else:
    code = subprocess.run([sys.executable, *sys.argv[1:]]).returncode
    if due:
        decide()
    sys.exit(code)
"""
"""A `python` that makes a decision when a stage has looked at its inputs, or when it has ended."""


def run(workspace: Path, stage: str, moment: str, line: str) -> tuple[int, str]:
    """Runs a stage while somebody decides at that moment; gives DVC's exit code and output."""
    tools = workspace.parent / "tools"
    tools.mkdir()
    (tools / "python").write_text(SHIM.replace("{python}", sys.executable))
    (tools / "python").chmod(0o755)
    (tools / "decision").write_text(line)
    variables = [f"EDIT={tools / 'decision'}", f"EDIT_STAGE={stage}", f"EDIT_MOMENT={moment}"]
    script = f'PATH="{tools}:$PATH" exec dvc repro --force --single-item {stage}'
    finished = call(workspace, "env", *variables, "sh", "-c", script)
    assert not (tools / "decision").exists(), finished.stdout + finished.stderr
    return finished.returncode, finished.stdout + finished.stderr


def decision(workspace: Path, note: str) -> tuple[str, str]:
    """A face of `train`, and a line that gives it another label.

    The note makes it another line in each test: they share DVC's run cache, and a run that was recorded
    with a decision that it had not read is handed on by it (and named as waiting again).
    """
    faces = read_table(workspace / "data/curated/examples.parquet")
    face = faces[(faces["split"] == "train") & (faces["label"] == "happy")].iloc[0]
    return face.pixel_hash, f"{face.pixel_hash},happy,surprise,ann,2026-01-01T00:00:00Z,{note}\n"


def is_applied(workspace: Path, pixel_hash: str) -> bool:
    examples = read_table(workspace / "data/curated/examples.parquet")
    return set(examples.loc[examples["pixel_hash"] == pixel_hash, "label"]) == {"surprise"}


@pytest.mark.parametrize("stage", READERS)
def test_a_stage_that_reads_decisions_refuses_one_made_meanwhile(
    workspace: Path, stage: str
) -> None:
    pixel_hash, line = decision(workspace, f"during {stage}")
    code, printed = run(workspace, stage, DURING, line)
    assert code != 0
    assert f"error: {RELABELS} changed while '{stage}' ran" in printed
    ok(workspace, "dvc", "repro", "rebalance", "review_queue", "quality_report")
    assert is_applied(workspace, pixel_hash)


@pytest.mark.parametrize("stage", OTHERS)
def test_a_stage_that_reads_none_leaves_it_to_those_that_do(workspace: Path, stage: str) -> None:
    pixel_hash, line = decision(workspace, f"during {stage}")
    code, printed = run(workspace, stage, DURING, line)
    assert code == 0, printed
    assert "rebalance" in json.loads(ok(workspace, "dvc", "status", "--json"))
    (words,) = waiting(workspace)
    assert words.startswith("1 decision of ")
    assert words.endswith(" is not yet applied: `dvc repro`")
    ok(workspace, "dvc", "repro", "rebalance")
    assert is_applied(workspace, pixel_hash)


@pytest.mark.parametrize("stage", ["rebalance", "review_queue"])
def test_one_made_before_dvc_records_is_named_with_what_applies_it(
    workspace: Path, stage: str
) -> None:
    pixel_hash, line = decision(workspace, f"after {stage}")
    code, printed = run(workspace, stage, AFTER, line)
    assert code == 0, printed
    assert stage not in json.loads(ok(workspace, "dvc", "status", "--json", stage))
    remedy = f"`dvc repro --force --single-item {stage}`, then `dvc repro`"
    assert [words for words in waiting(workspace) if words.endswith(remedy)]
    ok(workspace, "dvc", "repro", "--force", "--single-item", stage)
    ok(workspace, "dvc", "repro", "rebalance", "review_queue")
    assert is_applied(workspace, pixel_hash)
    assert waiting(workspace) == []
