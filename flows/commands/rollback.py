"""Goes back to an earlier published run: lists the runs, and makes one of them the latest."""

import hashlib
from collections.abc import Iterable

from rich.table import Table

from fer_data.core.errors import UserError
from fer_data.core.schema import VALIDATION
from flows.publishing.old_runs import LATEST, StoredRun
from flows.publishing.run_metrics import ACCURACY
from flows.publishing.runs import LATEST_NAME, RUNS, Record, make_latest, mark_rolled_back
from flows.publishing.storage import Destination

NUM_NAMED = 5
"""How many runs an error names: the newest."""


def roll_back(run: str, runs: list[StoredRun], *, destination: Destination) -> str:
    """Makes a stored run the latest, which the next publication is compared with.

    The reports of the run that was the latest until now do not become the latest again by themselves:
    the nightly flow would else publish them once more.

    Args:
        run: Its name.
        runs: All runs at the destination, the newest first.
        destination: Where they are.

    Returns:
        What was done, in one line.

    Raises:
        UserError: There is no such run, it is not whole, or the destination cannot be reached; the
            latest run is then what it was.
    """
    chosen = next((one.record for one in runs if one.name == run), None)
    left = next((one.name for one in runs if LATEST in one.marks), None)
    if chosen is None:
        raise UserError(_no_such_run(run, runs, destination=destination))
    if left == run:
        return f"{run} is the latest run already: {destination.url(LATEST_NAME)}"
    _check_whole(run, chosen, destination=destination)
    # The mark goes first: without it, tonight's flow would undo what was done here.
    mark_rolled_back(left=left, chosen=run, destination=destination)
    make_latest(run, destination=destination)
    return (
        f"{run} is the latest run, in place of {left or 'none'}, and the next one is compared with "
        f"it: {destination.url(LATEST_NAME)}"
    )


def runs_table(runs: Iterable[StoredRun]) -> Table:
    """A table of runs to choose from: when, how accurate on validation, what each is."""
    table = Table(title="Published runs")
    for name, is_whole in (("run", True), ("published", True), ("validation accuracy", False)):
        table.add_column(name, no_wrap=is_whole)
    table.add_column()
    for run in runs:
        if run.record is not None:
            at = run.record.at[:16].replace("T", " ")
            table.add_row(run.name, at, _accuracies(run.record), ", ".join(run.marks))
    return table


def _accuracies(record: Record) -> str:
    found = {
        model: splits.get(VALIDATION, {}).get(ACCURACY) for model, splits in record.metrics.items()
    }
    return ", ".join(f"{model} {value.value:.4f}" for model, value in found.items() if value)


def _no_such_run(run: str, runs: list[StoredRun], *, destination: Destination) -> str:
    if any(one.name == run for one in runs):
        return (
            f"{destination.url(f'{RUNS}/{run}')} has no record: it was copied in part, or damaged"
        )
    names = [one.name for one in runs if one.record is not None]
    if not names:
        return f"no run is published at {destination.address}"
    listed = ", ".join(names[:NUM_NAMED])
    more = f" or {len(names) - NUM_NAMED} older ones" if len(names) > NUM_NAMED else ""
    return f"no run '{run}' at {destination.address}: expected {listed}{more}"


def _check_whole(run: str, record: Record, *, destination: Destination) -> None:
    for name, digest in record.files.items():
        path = f"{RUNS}/{run}/{name}"
        content = destination.read(path)
        if content is None or hashlib.sha256(content).hexdigest() != digest:
            state = "is gone" if content is None else "is not what was published"
            raise UserError(f"{destination.url(path)} {state}: {run} cannot be the latest run")
