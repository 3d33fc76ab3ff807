"""Accepts, by name and by a commit: decisions for the next `crossval`, and the archive's baseline."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from fer_data.annotation.append_lines import locked
from fer_data.annotation.apply_decisions import in_counts, read_accepted, retired_counts
from fer_data.annotation.decision_log import checked_rows, error_of_text
from fer_data.annotation.decision_writer import Decision, lines_of
from fer_data.annotation.latest_decisions import latest_decisions
from fer_data.core.catalog import dependency, output
from fer_data.core.clock import now
from fer_data.core.errors import UserError
from fer_data.core.files import atomic_write
from fer_data.core.schema import DECISION_COLUMNS, SPLIT, TEST, VALIDATION
from fer_data.core.tables import read_json, read_table
from fer_data.stages.settings import PARAMS_FILE, DataSettings, read_settings
from fer_data.stages.stage import json_text
from fer_data.validation.baseline import Baseline, baseline_of, baseline_text, read_baseline
from fer_models.reporting.outcomes import outcomes_of
from flows.workspace.client import git

METRICS_NAME = "metrics.json"


def accept_decisions(*, by: str, folder: Path = Path()) -> str:
    """Accepts the decisions for the next `crossval` to learn from, and commits them.

    Beside them it keeps what the last run measured, for the next one to be compared with: `by`, `at`,
    `num_decisions`, `metrics`, the content of `reports/metrics.json` (empty before the first run), and
    `outcomes`, which faces were predicted rightly, so that both runs can be paired on the same faces.

    Args:
        by: Who accepts.
        folder: The workspace.

    Returns:
        What was done, in words.

    Raises:
        UserError: There is nothing to accept, the decisions are broken, or git refuses the commit;
            nothing has changed then.
    """
    _check_name(by)
    relabels = dependency("rebalance", "relabels.csv", workspace=folder)
    snapshot = dependency("crossval", "relabels.csv", workspace=folder)
    data = read_settings(DataSettings, "data", file=folder / PARAMS_FILE)
    expressions = data.known_expressions
    measured = output("report", METRICS_NAME, workspace=folder)
    metrics = read_json(measured) if measured.exists() else {}
    kept = dependency("report", METRICS_NAME, workspace=folder)
    with locked(relabels) as held:  # what a review app writes meanwhile waits for the commit
        decisions = checked_rows(held.read(), file=relabels, expressions=expressions)
        if decisions.empty:
            raise UserError(f"{relabels} holds no decision: nothing to accept")
        retired = retired_counts(decisions, data.retired_expressions)
        num_standing = len(latest_decisions(decisions)) - sum(retired.values())
        contents: dict[Path, bytes] = {}
        is_new = not _holds(snapshot, decisions, expressions)
        if is_new:
            made = (Decision(*map(str, row)) for row in decisions.itertuples(index=False))
            header = f"{','.join(DECISION_COLUMNS)}\n".encode()
            contents[snapshot] = header + lines_of(made, expressions=expressions)
        if is_new or _metrics_in(kept) != metrics:
            record = {
                **{"by": by, "at": now(), "num_decisions": num_standing, "metrics": metrics},
                "outcomes": {name: _outcomes_of(name, folder) for name in metrics},
            }
            contents[kept] = json_text(record, of=kept, ensure_ascii=False).encode()
        done = _commit_alone(
            contents,
            f"Accept {num_standing} decisions on labels, by {by}",
            also=[relabels, snapshot],
            folder=folder,
        )
    if not done:
        return f"{relabels} is accepted already: nothing to commit"
    return (
        f"{num_standing} decisions -> {snapshot}, accepted by {by} and committed: the next "
        "`dvc repro` learns from them in `crossval`"
        + (f" (not from those of retired expressions: {in_counts(retired)})" if retired else "")
    )


def _holds(snapshot: Path, decisions: pd.DataFrame, expressions: tuple[str, ...]) -> bool:
    """Whether these decisions were accepted last."""
    try:
        return read_accepted(snapshot, expressions=expressions).equals(decisions)
    except UserError:
        return False  # whatever it holds is about to be replaced


def accept_baseline(*, by: str, folder: Path = Path()) -> str:
    """Accepts the archive's counts, brightness and contrast as the baseline of the next one.

    Takes and returns what `accept_decisions` does.

    Raises:
        UserError: There is no manifest, or git refuses the commit; nothing has changed then.
    """
    _check_name(by)
    file = dependency("validate", "profile.json", workspace=folder)
    manifest = read_table(output("ingest", "manifest.parquet", workspace=folder))
    baseline = baseline_of(manifest, by=by, at=now())
    before, facts = _baseline_in(file), {"counts", "brightness", "contrast"}
    if before is not None and before.model_dump(include=facts) == baseline.model_dump(
        include=facts
    ):
        baseline = before
    done = _commit_alone(
        {file: baseline_text(baseline).encode()},
        f"Accept the archive of {baseline.faces} faces, by {by}",
        folder=folder,
    )
    if not done:
        return f"{file} holds this archive's baseline already: nothing to commit"
    return f"{baseline.faces} faces -> {file}, accepted by {by} and committed"


def _outcomes_of(model: str, folder: Path) -> dict[str, dict[str, str]]:
    """Which faces of `validation` and `test` a model predicted rightly; empty where it was not kept."""
    file = output(f"evaluate@{model}", model, workspace=folder) / "predictions.parquet"
    if not file.exists():
        return {}
    predictions = read_table(file)
    return {
        split: outcomes_of(predictions[predictions[SPLIT] == split]).model_dump()
        for split in (VALIDATION, TEST)
    }


def _check_name(name: str) -> None:
    reason = "is empty" if not name.strip() else error_of_text(name)
    if reason:
        raise UserError(f"the name after --by {reason}")


def _bytes_of(file: Path) -> bytes | None:
    return file.read_bytes() if file.exists() else None


def _metrics_in(file: Path) -> Any:
    """The metrics that were accepted last; whatever else the file holds is about to be replaced."""
    try:
        record = json.loads(file.read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    return record.get("metrics") if isinstance(record, dict) else None


def _baseline_in(file: Path) -> Baseline | None:
    """The baseline that was accepted last, likewise."""
    try:
        return read_baseline(file)
    except UserError:
        return None


def _commit_alone(
    contents: Mapping[Path, bytes], message: str, *, also: Sequence[Path] = (), folder: Path
) -> bool:
    """Writes files and commits them, and nothing else that is changed or staged.

    Args:
        contents: What to write where.
        message: The commit's message.
        also: Files to commit as they are.
        folder: The workspace.

    Returns:
        Whether there was anything to commit.

    Raises:
        UserError: git refuses; the files are as they were.
        OSError: A file cannot be written; likewise.
    """
    try:
        git("rev-parse", "--show-toplevel", cwd=folder)
    except UserError:
        raise UserError(
            f"{folder.absolute()} is in no git repository: accepting is a commit; `git init` makes one"
        ) from None
    names = sorted({str(file.relative_to(folder)) for file in [*contents, *also]})
    before = {file: _bytes_of(file) for file in contents}
    untracked: list[str] = []
    try:
        for file, content in contents.items():
            _write(file, content)
        if not git("status", "--porcelain", "--", *names, cwd=folder):
            return False
        untracked = git("ls-files", "-z", "--others", "--", *names, cwd=folder).split("\0")[:-1]
        if untracked:
            git("add", "--intent-to-add", "--", *untracked, cwd=folder)
        git("commit", "--quiet", "--only", "--message", message, "--", *names, cwd=folder)
    except (
        UserError,
        OSError,
        KeyboardInterrupt,
    ):  # such as a disk that is full at the second file
        if untracked:
            git("reset", "--quiet", "--", *untracked, cwd=folder)
        for file, content in before.items():
            _write(file, content)
        raise
    return True


def _write(file: Path, content: bytes | None) -> None:
    """Makes a file hold these bytes, or not be there."""
    if content is None:
        file.unlink(missing_ok=True)
        return
    with atomic_write(file) as beside:
        beside.write_bytes(content)
