"""Lists the runs at a destination, with what each is there for, and removes old ones."""

from dataclasses import dataclass
from datetime import UTC, datetime

from fer_data.core.errors import UserError
from flows.publishing.runs import (
    HELD_BACK_NAME,
    RECORD_NAME,
    ROLLED_BACK_NAME,
    RUNS,
    Record,
    latest_run,
    named_runs,
    read_record,
)
from flows.publishing.storage import Destination, UnreachableError

NUM_NEWEST = 3
"""How many runs stay however old they are, so that there is one to go back to."""
LATEST, HELD_BACK, ROLLED_BACK, BROKEN = "latest", "held back", "rolled back", "broken"


@dataclass(frozen=True)
class StoredRun:
    """A run at the destination."""

    name: str
    record: Record | None
    """None: it was copied in part, or its record was deleted."""
    marks: tuple[str, ...] = ()
    """`latest`, `held back`, `rolled back`; `broken`, where the record is none."""

    @property
    def at(self) -> datetime | None:
        """When it was published; None where the record does not say."""
        return None if self.record is None else _moment(self.record.at)


def stored_runs(destination: Destination) -> list[StoredRun]:
    """Lists the runs at a destination, the newest first and those without a record last.

    Raises:
        UserError: The destination cannot be reached, or the page of the latest run is not ours.
    """
    marks = {
        LATEST: {latest_run(destination)},
        HELD_BACK: {*named_runs(HELD_BACK_NAME, destination=destination)},
        ROLLED_BACK: {*named_runs(ROLLED_BACK_NAME, destination=destination)},
    }
    runs: list[StoredRun] = []
    for name in destination.folders(RUNS):
        found = [mark for mark, names in marks.items() if name in names]
        try:
            record = read_record(name, destination=destination)
        except UnreachableError:
            raise
        except UserError:
            record = None
            found.append(BROKEN)
        runs.append(StoredRun(name, record, tuple(found)))
    epoch = datetime.fromtimestamp(0, UTC)
    return sorted(runs, key=lambda run: (run.at or epoch, run.name), reverse=True)


def old_runs(runs: list[StoredRun], *, cutoff: datetime, destination: Destination) -> list[str]:
    """Names the runs that may go: published before some moment, and of no further use.

    The newest ones stay, the latest run, what was held back last or rolled back, and what is not ours: a
    folder whose record is broken or says another name.

    Args:
        runs: All runs, the newest first.
        cutoff: The moment.
        destination: Says when what was copied in part was written.
    """
    complete = [run for run in runs if run.record is not None]
    found = [
        run.name
        for run in complete[NUM_NEWEST:]
        if not run.marks
        and run.record
        and run.record.run == run.name
        and run.at is not None
        and run.at < cutoff
    ]
    for run in runs:
        if run.record is None and not run.marks:
            files = destination.sizes(f"{RUNS}/{run.name}")
            written = [destination.written(file) for file in files]
            if all(moment is not None and moment < cutoff for moment in written) and written:
                found.append(run.name)
    return found


def remove_run(name: str, *, destination: Destination) -> None:
    """Removes a run; its record goes first, so that half of it is never taken for a run.

    Raises:
        UserError: The destination cannot be reached.
    """
    record = f"{RUNS}/{name}/{RECORD_NAME}"
    if destination.read(record) is not None:
        destination.remove(record)
    destination.remove(f"{RUNS}/{name}")


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
