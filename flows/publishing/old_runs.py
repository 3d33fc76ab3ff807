"""Lists the runs at a destination, with what each is there for, and removes old ones."""

from dataclasses import dataclass
from datetime import UTC, datetime

from flows.publishing.runs import (
    RECORD_NAME,
    RUNS,
    Record,
    held_back,
    latest_run,
    read_record,
    rolled_back,
)
from flows.publishing.storage import Destination

NUM_NEWEST = 3
"""How many runs stay however old they are, so that there is one to go back to."""
LATEST, HELD_BACK, ROLLED_BACK = "latest", "held back", "rolled back"


@dataclass(frozen=True)
class StoredRun:
    """A run at the destination."""

    name: str
    record: Record | None
    """None: it was copied in part, or its record was deleted."""
    marks: tuple[str, ...] = ()
    """`latest`, `held back`, `rolled back`."""

    @property
    def at(self) -> datetime | None:
        """When it was published; None where the record does not say."""
        return None if self.record is None else _moment(self.record.at)


def stored_runs(destination: Destination) -> list[StoredRun]:
    """Lists the runs at a destination, the newest first and those without a record last.

    Raises:
        UserError: A record is broken, or the destination cannot be reached.
    """
    held = held_back(destination)
    marks = {
        LATEST: {latest_run(destination)},
        HELD_BACK: {held and held.run},
        ROLLED_BACK: {record.run for record in rolled_back(destination)},
    }
    runs = [
        StoredRun(
            name,
            read_record(name, destination=destination),
            tuple(mark for mark, names in marks.items() if name in names),
        )
        for name in destination.folders(RUNS)
    ]
    epoch = datetime.fromtimestamp(0, UTC)
    return sorted(runs, key=lambda run: (run.at or epoch, run.name), reverse=True)


def old_runs(runs: list[StoredRun], *, cutoff: datetime, destination: Destination) -> list[str]:
    """Names the runs that may go: published before some moment, and of no further use.

    The newest ones stay, the latest run, what was held back last or rolled back, and a folder whose
    record says another name, since it is not ours.

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
