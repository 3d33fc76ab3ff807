"""Counts what is decided while a review app is open, and the time that it takes."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping

from fer_data.core.schema import DROP, KEEP

_LONGEST_SECONDS = 300.0
"""A longer time without a key is a break, which does not count."""


class SessionSummary:
    """The decisions of one session; several threads may tell it of them."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Begins a session.

        Args:
            clock: The time in seconds.
        """
        self._clock = clock
        self._mutex = threading.Lock()
        self._kinds: dict[str, str] = {}
        self._skipped: set[str] = set()
        self._seconds = 0.0
        self._last: float | None = None

    def look(self) -> None:
        """Takes note that somebody looks at a face from now on."""
        with self._mutex:
            self._count_time()

    def decide(self, given: Mapping[str, str], decision: str) -> None:
        """Takes note of a decision.

        Args:
            given: The given label of each face, by pixel hash.
            decision: An expression, `keep` or `drop`.
        """
        with self._mutex:
            self._count_time()
            for pixel_hash, label in given.items():
                kept = decision in (KEEP, label)
                kind = "kept" if kept else "dropped" if decision == DROP else "relabeled"
                self._kinds[pixel_hash] = kind

    def undo(self, pixel_hashes: Collection[str]) -> None:
        """Takes note that decisions were taken back."""
        with self._mutex:
            self._count_time()
            for pixel_hash in pixel_hashes:
                self._kinds.pop(pixel_hash, None)

    def skip(self, pixel_hashes: Collection[str]) -> None:
        """Takes note that faces were passed over."""
        with self._mutex:
            self._count_time()
            self._skipped.update(pixel_hashes)

    @property
    def num_decided(self) -> int:
        """How many faces were decided in this session."""
        return len(self._kinds)

    def in_words(self, *, decided: Collection[str]) -> str:
        """Describes the session in a line: how many faces of which kind, and how long a face took.

        Args:
            decided: The faces that wait no more: none of them was skipped for good.
        """
        with self._mutex:
            kinds, seconds = Counter(self._kinds.values()), self._seconds
            num_skipped = len(self._skipped.difference(decided))
        total = kinds.total()
        words = "no face decided"
        if total:
            counts = ", ".join(f"{kinds[kind]} {kind}" for kind in ("kept", "relabeled", "dropped"))
            long = f"{seconds:.0f} seconds" if seconds < 60 else f"{seconds / 60:.1f} minutes"
            words = f"{total} {'face' if total == 1 else 'faces'} decided ({counts}) in {long}"
            words += f", {seconds / total:.1f} seconds a face"
        return f"This session: {words}{f'; {num_skipped} skipped' if num_skipped else ''}."

    def _count_time(self) -> None:
        moment = self._clock()
        if self._last is not None and moment - self._last <= _LONGEST_SECONDS:
            self._seconds += moment - self._last
        self._last = moment
