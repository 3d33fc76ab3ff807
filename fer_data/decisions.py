"""Appends decisions of people to `data/relabels.csv`: whole lines, on the disk, one writer at a time."""

import csv
import fcntl
import io
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from pathlib import Path

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

    A second writer, in this process or another, waits; a killed process leaves whole lines.

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
    data = lines.getvalue().encode()
    with _locked(file) as descriptor:
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            data = b"\n" + data  # an editor left the last line without its end
        try:
            _write_whole(descriptor, data)
            os.fsync(descriptor)
        except OSError:
            os.ftruncate(descriptor, size)
            raise


def _write_whole(descriptor: int, data: bytes) -> None:
    """One system call if the disk has room; a full one writes a part, and then fails."""
    while data:
        data = data[os.write(descriptor, data) :]


@contextmanager
def _locked(file: Path) -> Iterator[int]:
    """The file, open for appending, while nobody else appends to it."""
    while True:
        try:
            descriptor = os.open(file, os.O_RDWR | os.O_APPEND)
        except FileNotFoundError:
            raise UserError(f"{file} is missing: `git checkout {file}` brings it back") from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            # While this waited, git may have put another file in its place.
            if os.path.samestat(os.fstat(descriptor), file.stat()):
                yield descriptor
                return
        finally:
            os.close(descriptor)
