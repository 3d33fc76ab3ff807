"""Caches the decisions that stand, and reads only the new lines of their file."""

import codecs
import math
import threading
from bisect import insort
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from fer_data.annotation.append_lines import locked, read_whole, stamp_of
from fer_data.annotation.decision_log import checked
from fer_data.annotation.decision_rows import check_header, decode, rows_of, split_header
from fer_data.annotation.decision_writer import Decision, lines_of
from fer_data.annotation.latest_decisions import effective_times, moment_of, still_standing
from fer_data.annotation.opinions import opinions_on_face
from fer_data.core.clock import to_utc
from fer_data.core.schema import KEEP


@dataclass(order=True)
class Line:
    """A decision and its place among the others: by time, then by line."""

    time: float
    """When it counts as made, in seconds since 1970."""
    number: int
    """Of the line."""
    decision: Decision = field(compare=False)


class Standing:
    """The decisions of a file that stand; several threads may ask and append."""

    def __init__(
        self, file: Path, *, expressions: tuple[str, ...], retired: tuple[str, ...] = ()
    ) -> None:
        """Reads the file.

        Args:
            file: The decisions made so far, see `schema.DECISION_COLUMNS`.
            expressions: The classes that a decision may name.
            retired: Classes that an earlier one may name: where it stands, nothing does.

        Raises:
            UserError: The file is missing or broken.
        """
        self._file, self._expressions, self._retired = file, expressions, retired
        self._mutex = threading.Lock()
        self._stamp: tuple[int, int, int] | None = None
        self._forget()
        self.on([])  # a broken file is told at once

    def _forget(self) -> None:
        self._data = bytearray()
        self._num_lines = 0
        self._latest = -math.inf
        self._lines: dict[str, list[Line]] = {}
        self._standing: dict[str, Line] = {}

    def on(
        self, pixel_hashes: Iterable[str], *, own: Collection[str] = (), annotator: str = ""
    ) -> list[Decision]:
        """The decisions that stand on some faces, the latest last; reads the file if it has changed.

        Args:
            pixel_hashes: The faces.
            own: Those of them for which `annotator`'s own last decision is meant, whoever else decided.
            annotator: Whose.

        Raises:
            UserError: The file is missing or broken.
        """
        with self._mutex:
            stamp = stamp_of(self._file)
            if stamp is None or stamp != self._stamp:
                self._read(*read_whole(self._file))
            found = (
                self._by(annotator, pixel_hash)
                if pixel_hash in own
                else self._standing.get(pixel_hash)
                for pixel_hash in pixel_hashes
            )
            return [line.decision for line in sorted(line for line in found if line)]

    def append(self, decisions: Sequence[Decision]) -> None:
        """Appends decisions, all of them or none, and returns when they are on the disk.

        A decision is never earlier than what was decided on its face before: a clock that runs ahead
        elsewhere would let the older decision stand.

        Raises:
            UserError: The file is missing or broken, or one of the decisions is not valid.
        """
        with self._mutex, locked(self._file) as held:
            if held.stamp != self._stamp:
                self._read(held.read(), held.stamp)
            later = [self._later(decision) for decision in decisions]
            added = held.append(lines_of(later, expressions=self._expressions))
            self._read(bytes(self._data) + added, held.stamp)

    def _later(self, decision: Decision) -> Decision:
        before, moment = self._lines.get(decision.pixel_hash), moment_of(decision.decided_at)
        if not before or moment is None or before[-1].time <= moment.timestamp():
            return decision
        latest = datetime.fromtimestamp(math.ceil(before[-1].time), UTC)
        return replace(decision, decided_at=to_utc(latest))

    def _read(self, data: bytes, stamp: tuple[int, int, int]) -> None:
        """Takes the file's content in; nothing of it if it is broken."""
        is_longer = self._data.endswith(b"\n") and data.startswith(self._data)
        # Decoding drops a mark before a text, which a whole reading of the file would not.
        is_longer = is_longer and not data[len(self._data) :].startswith(codecs.BOM_UTF8)
        if is_longer:
            _, text = split_header("\n" + decode(data[len(self._data) :], file=self._file))
            first = self._num_lines + 1
        else:
            header, text = split_header(decode(data, file=self._file))
            check_header(header, file=self._file)
            first = 2
        rows = list(rows_of(text, first=first))
        for row in rows:
            checked(
                row, (*self._expressions, *self._retired), where=f"{self._file}, line {row.number}"
            )
        if not is_longer:
            self._forget()
        made = [Decision(*row.fields) for row in rows]
        times = effective_times((one.decided_at for one in made), since=self._latest)
        for row, one, time in zip(rows, made, times, strict=True):
            insort(self._lines.setdefault(one.pixel_hash, []), Line(time, row.number, one))
        self._latest = max([self._latest, *times])
        self._data += data[len(self._data) :]
        self._num_lines = first - 1 + text.count("\n")
        self._stamp = stamp
        for pixel_hash in {one.pixel_hash for one in made}:
            self._settle(pixel_hash)

    def _settle(self, pixel_hash: str) -> None:
        lines = self._lines[pixel_hash]
        place = still_standing(_history(lines))
        if place is None or self._is_retired(lines[place].decision):
            self._standing.pop(pixel_hash, None)
        else:
            self._standing[pixel_hash] = lines[place]

    def _by(self, annotator: str, pixel_hash: str) -> Line | None:
        """The last decision of one annotator on a face."""
        lines = self._lines.get(pixel_hash, [])
        place = opinions_on_face(_history(lines)).get(annotator)
        return None if place is None or self._is_retired(lines[place].decision) else lines[place]

    def _is_retired(self, one: Decision) -> bool:
        return (one.given_label if one.decision == KEEP else one.decision) in self._retired


def _history(lines: Sequence[Line]) -> Iterator[tuple[int, str, str]]:
    """As `still_standing` takes it."""
    for place, line in enumerate(lines):
        yield place, line.decision.decision, line.decision.annotator
