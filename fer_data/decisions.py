"""Appends decisions of people to `data/relabels.csv`: whole lines, on the disk, one writer at a time."""

import csv
import fcntl
import io
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from pathlib import Path

from fer_data.disk import sync_folder
from fer_data.relabels import check_row
from fer_data.stage import UserError


@dataclass(frozen=True)
class Decision:
    """What a person said about a face: a line of the file, its fields in the file's order."""

    pixel_hash: str
    """SHA-256 of the face's pixels, in hexadecimal: twins are decided together."""
    given_label: str
    """The label that the person saw."""
    decision: str
    """An expression, `keep`, `drop` or `undo`."""
    annotator: str
    """Who decided."""
    decided_at: str
    """When, as `now` gives it."""
    note: str = ""


def now() -> str:
    """The time in UTC, to the second: `2026-01-31T10:00:00Z`."""
    return to_utc(datetime.now(UTC))


def to_utc(moment: datetime) -> str:
    """A moment as `now` gives it; one without a time zone is taken for UTC."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def append_decisions(
    file: Path, decisions: Sequence[Decision], *, expressions: tuple[str, ...]
) -> None:
    """Appends decisions, all of them or none, and returns when they are on the disk.

    The file is replaced by a longer one: the kernel may end a write between two pages of memory for a
    process that is killed, so that appending in place leaves half a line now and then. A second
    writer, in this process or another, waits.

    Args:
        file: The decisions made so far, see `schema.RELABEL_COLUMNS`.
        decisions: What to append.
        expressions: The classes that a decision may name.

    Raises:
        UserError: The file is missing, or one of the decisions is not valid.
    """
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    for decision in decisions:
        row = list(astuple(decision))
        check_row(row, expressions, where=f"decision on {decision.pixel_hash[:12]}")
        writer.writerow(row)
    added = lines.getvalue().encode()
    with _locked(file) as locked:
        with locked.open("rb") as before:
            decided = before.read()
        if decided and not decided.endswith(b"\n"):
            decided += b"\n"  # an editor left the last line without its end
        _replace(locked, decided + added)


def _replace(file: Path, data: bytes) -> None:
    """Puts other content in the place of a file that the caller has locked.

    `written_beside` would tidy up after the renaming, when the next writer is at work already.
    """
    beside = file.with_name(f".{file.name}.unfinished")
    try:
        with beside.open("wb") as unfinished:
            unfinished.write(data)
            unfinished.flush()
            os.fsync(unfinished.fileno())
        shutil.copymode(file, beside)
    except OSError:
        beside.unlink(missing_ok=True)
        raise
    beside.replace(file)
    sync_folder(file.parent)


@contextmanager
def _locked(file: Path) -> Iterator[Path]:
    """Gives where the file really is, while nobody else appends to it."""
    while True:
        try:
            opened = file.open("r+b")  # NFS locks only what may be written
        except FileNotFoundError:
            raise UserError(f"{file} is missing: `git checkout {file}` brings it back") from None
        with opened:
            fcntl.flock(opened, fcntl.LOCK_EX)
            # While this waited, another writer or git may have put another file in its place.
            if os.path.samestat(os.fstat(opened.fileno()), file.stat()):
                yield file.resolve()
                return
