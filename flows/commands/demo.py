"""Runs the pipeline on a drawn archive: what was planted, what was found, how good the models are."""

import json
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import monotonic
from typing import Any

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
from fer_models.core.processors import num_usable
from flows.execution.local_executor import shares
from flows.execution.side_by_side import run_side_by_side
from flows.workspace.graph import Graph, read_graph
from flows.workspace.retry_policy import StageError

LOG_NAME = "demo.log"
MIN_FACES = 500
"""Of a demo: `validate` wants 10 of each class in each folder, and the smallest has one face in 43."""

MAX_SIDE_BY_SIDE = 4
"""Stages that run at once, with as many processors."""
USUAL_SECONDS = {"crossval": 19.0, "train": 20.0, "ensemble": 8.0, "evaluate": 6.0}
"""Of a stage on two processors, with another beside it; they only weigh the progress."""
OTHER_SECONDS = 3.5

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


def settings_of(preset: Mapping[str, Any], *, all_models: bool) -> dict[str, Any]:
    """The demo's settings: its preset, or the same with all models, of which some learn little."""
    if not all_models:
        return dict(preset)
    report = {key: value for key, value in preset["report"].items() if key != "models"}
    return {**preset, "report": report, "pipeline": {"folds": preset["pipeline"]["folds"]}}


def left_out(preset: Mapping[str, Any]) -> list[str]:
    """The models that the preset leaves out."""
    return [name for name, entry in preset["pipeline"]["models"].items() if entry is None]


def run_stages(workspace: Path, *, console: Console, stages: Sequence[str] | None = None) -> None:
    """Runs stages side by side, with a line each on the console and all that they print in `demo.log`.

    Args:
        workspace: The demo's workspace.
        console: Where to print.
        stages: Those to run; None: all.

    Raises:
        UserError: A stage failed; the message ends with the end of the log.
    """
    log = workspace / LOG_NAME
    graph = read_graph(workspace)
    if stages is not None:
        graph = graph.without(frozenset(graph.above.keys() - set(stages)))
    progress = _Progress(graph, console)
    lock = threading.Lock()
    with log.open("a", encoding="utf-8") as file:

        def write(line: str) -> None:
            with lock:
                file.write(f"{line.rstrip()}\n")

        try:
            run_side_by_side(
                workspace,
                graph,
                shares=shares(min(num_usable(), MAX_SIDE_BY_SIDE)),
                on_line=write,
                on_done=progress.show,
            )
        except StageError as error:
            file.flush()
            end = "\n".join(log.read_text(encoding="utf-8").splitlines()[-15:])
            raise UserError(f"{error}; the end of {log}:\n{end}") from None


class _Progress:
    """Prints a line for each stage that has ended, with how long the others may take."""

    def __init__(self, graph: Graph, console: Console) -> None:
        """Starts the clock."""
        self._console = console
        self._left = {stage: _usual(stage) for stage in graph.above}
        self._total = sum(self._left.values())
        self._started = monotonic()

    def show(self, stage: str, seconds: float) -> None:
        """Tells that a stage has ended."""
        del self._left[stage]
        left = sum(self._left.values())
        done = self._total - left
        remaining = (monotonic() - self._started) * left / done
        about = f"about {_rounded(remaining)} s left" if left else ""
        self._console.print(f"  {stage:<30} {seconds:5.1f} s   {about}".rstrip(), highlight=False)


def _usual(stage: str) -> float:
    return USUAL_SECONDS.get(stage.partition("@")[0], OTHER_SECONDS)


def _rounded(seconds: float) -> int:
    """To 5 seconds, up: more would promise too much."""
    return 5 * (int(seconds // 5) + 1)


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
    console.print("Reports, to open in a browser:")
    for stage_name in ("report", "quality_report"):
        page = output(stage_name, "index.html", workspace=workspace)
        console.print(f"  {page.absolute()}", soft_wrap=True, highlight=False)


def show_next(workspace: Path, *, console: Console) -> None:
    """Prints what to type next."""
    console.print("Next:")
    for command, what in (
        (f"cd {workspace}", ""),
        ("ferflow review", "decide on the queue in the browser"),
        ("dvc repro", "rebuild the models and reports that your decisions change"),
        ("ferflow app", "try the models on a photo"),
    ):
        console.print(f"  {command:<16} {what}".rstrip(), soft_wrap=True, highlight=False)
