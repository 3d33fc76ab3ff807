"""Runs the whole line on a drawn archive, and says what was planted, what was found, how good it is."""

import json
import re
import subprocess
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TextIO

import pandas as pd
from rich.console import Console
from rich.table import Table

from fer_data.core.catalog import output
from fer_data.core.errors import UserError
from fer_data.core.schema import LABEL, LABEL_QUALITY, PATH
from fer_data.synthetic.drawn_archive import MAX_FACES
from fer_data.synthetic.planted_errors import (
    BLACK,
    CONFLICTING_DUPLICATE,
    DUPLICATE,
    ERROR,
    LEAK,
    NOT_A_IMAGE,
    TRUNCATED,
    WRONG_LABEL,
)
from fer_data.synthetic.scoring import within_class_auroc
from flows.workspace.client import environment

LOG_NAME = "demo.log"
MIN_FACES = 500
"""Of a demo: `validate` wants 10 of each class in each folder, and the smallest has one face in 43."""

CATCHERS = {
    DUPLICATE: "duplicates",
    LEAK: "leaks",
    CONFLICTING_DUPLICATE: "conflicting_duplicates",
    BLACK: "black_faces",
}
"""The expectation that catches a planted error."""

REFUSED = frozenset({TRUNCATED, NOT_A_IMAGE})
"""The errors that `ingest` refuses."""


def check_size(num_faces: int) -> None:
    """Refuses a demo whose archive would fail in `ingest` or `validate`.

    Raises:
        UserError: There are fewer than `MIN_FACES`, or more than can be drawn.
    """
    if num_faces < MIN_FACES:
        raise UserError(
            f"a demo of {num_faces} faces is too small for the stages' expectations: expected "
            f"{MIN_FACES} or more"
        )
    if num_faces > MAX_FACES:
        raise UserError(f"{num_faces:,} faces are too many to draw: expected at most {MAX_FACES:,}")


def run_stages(workspace: Path, *, console: Console) -> None:
    """Runs `dvc repro`, with a line a stage on the console and all that it prints in `demo.log`.

    Raises:
        UserError: A stage failed; the message ends with the end of the log.
    """
    log = workspace / LOG_NAME
    with (
        log.open("w", encoding="utf-8") as file,
        subprocess.Popen(
            ["dvc", "repro"],
            cwd=workspace,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process,
    ):
        for stage_name, seconds in _timed_stages(process.stdout or [], file):
            console.print(f"  {stage_name:<20} {seconds:5.1f} s", highlight=False)
    if process.returncode:
        end = "\n".join(log.read_text(encoding="utf-8").splitlines()[-15:])
        raise UserError(f"`dvc repro` failed in {workspace}; the end of {log}:\n{end}")


def _timed_stages(lines: Iterable[str], log: TextIO) -> Iterator[tuple[str, float]]:
    """Copies the lines to the log; gives each stage's name and seconds when it has ended."""
    running, started = "", time.monotonic()
    for line in lines:
        log.write(line)
        match = re.match(r"Running stage '(.+)':", line)
        if match:
            if running:
                yield running, time.monotonic() - started
            running, started = match[1], time.monotonic()
    if running:
        yield running, time.monotonic() - started


def findings(workspace: Path, planted: pd.DataFrame) -> pd.DataFrame:
    """Compares the planted errors with what the stages found.

    Args:
        workspace: Where `dvc repro` has run.
        planted: One row an error: `path` and `error`, as `drawn_archive.write_sample` returns them.

    Returns:
        One row a kind of error: `error`, `planted`, `found`, and `where` it was found.
    """
    result = json.loads(
        output("validate", "validate", workspace=workspace).joinpath("summary.json").read_text()
    )
    caught_by = {one["name"]: set(one["paths"]) for one in result["expectations"]}
    refused = set(pd.read_csv(output("ingest", "rejected.csv", workspace=workspace))[PATH])
    queue = pd.read_csv(output("review_queue", "suspects.csv", workspace=workspace))
    rows = []
    for error, faces in planted.groupby(ERROR, sort=False):
        paths = set(faces[PATH])
        if error in CATCHERS:
            found, where = paths & caught_by.get(CATCHERS[error], set()), "validate"
        elif error in REFUSED:
            found, where = paths & refused, "ingest"
        else:
            found, where = paths & set(queue[PATH]), f"the queue's {len(queue)} faces"
        rows.append((error, len(paths), len(found), where))
    return pd.DataFrame(rows, columns=["error", "planted", "found", "where"])


def ranking_auroc(workspace: Path, planted: pd.DataFrame) -> float:
    """The within-class AUROC of the label qualities for the planted wrong labels, conflicts aside."""
    ranked = pd.read_parquet(output("mislabels", "label_quality.parquet", workspace=workspace))
    errors = ranked[PATH].map(planted.set_index(PATH)[ERROR])
    judged = (errors.isna() | (errors == WRONG_LABEL)).to_numpy()
    return within_class_auroc(
        (errors == WRONG_LABEL).to_numpy()[judged],
        ranked[LABEL_QUALITY].to_numpy()[judged],
        ranked[LABEL].to_numpy()[judged],
    )


def show_results(workspace: Path, planted: pd.DataFrame, *, console: Console) -> None:
    """Prints what was planted and found, each model's accuracy, and where the reports lie."""
    table = Table("planted error", "planted", "found", "where", title="Errors")
    for row in findings(workspace, planted).itertuples(index=False):
        table.add_row(*map(str, row))
    console.print(table)
    auroc = ranking_auroc(workspace, planted)
    console.print(f"Wrong labels rank low within their class: AUROC {auroc:.3f}", highlight=False)
    metrics = output("report", "metrics.json", workspace=workspace)
    table = Table("model", "test accuracy", "95 % interval", "macro-F1", title="Models")
    for name, splits in json.loads(metrics.read_text()).items():
        test = splits["test"]
        interval = f"{test['accuracy_low']:.3f} to {test['accuracy_high']:.3f}"
        table.add_row(name, f"{test['accuracy']:.3f}", interval, f"{test['macro_f1']:.3f}")
    console.print(table)
    console.print(
        "Here the fine-tunes start from nothing, for an epoch or two: enough to run, not to learn."
    )
    console.print("Reports, to open in a browser:")
    for stage_name in ("report", "quality_report"):
        page = output(stage_name, "index.html", workspace=workspace)
        console.print(f"  {page.absolute()}", soft_wrap=True, highlight=False)
