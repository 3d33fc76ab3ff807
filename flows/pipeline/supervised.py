"""Keeps Prefect processes running: each has a log, is started again if it ends, ends with its keeper."""

import contextlib
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path

from fer_data.core.errors import UserError
from flows.workspace.watchdog import watched_command

GRACE_SECONDS = 30.0
NUM_STARTS = 3
WINDOW_SECONDS = 60.0


class SupervisedProcess:
    """A Prefect process, such as the server, that is to run as long as its keeper does."""

    def __init__(self, *words: str, variables: Mapping[str, str], log: Path) -> None:
        """Starts `prefect WORDS`; what it prints goes to the end of the log."""
        self._words = words
        self._variables = dict(variables)
        self.log = log
        self._starts: deque[float] = deque(maxlen=NUM_STARTS)
        self._start()

    def _start(self) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as file:
            command = [sys.executable, "-m", "prefect", *self._words]
            self._process = subprocess.Popen(
                watched_command(command, grace_seconds=GRACE_SECONDS),
                env=self._variables,
                stdin=subprocess.PIPE,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._starts.append(time.monotonic())

    @property
    def runs(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def revive(self) -> bool:
        """Starts it again if it has ended; returns whether it had.

        Raises:
            UserError: It ended three times within a minute, so that it would again.
        """
        if self.runs:
            return False
        self.end()
        if len(self._starts) == NUM_STARTS and time.monotonic() - self._starts[0] < WINDOW_SECONDS:
            raise UserError(f"the {self._words[0]} ends again and again: see {self.log}")
        self._start()
        return True

    def end(self) -> None:
        """Ends it, with its children, and waits until it has."""
        if self._process.stdin:
            self._process.stdin.close()
        self._process.wait()


@contextlib.contextmanager
def running(*words: str, variables: Mapping[str, str], log: Path) -> Iterator[SupervisedProcess]:
    """Starts a process, and ends it when the context ends."""
    part = SupervisedProcess(*words, variables=variables, log=log)
    try:
        yield part
    finally:
        part.end()
