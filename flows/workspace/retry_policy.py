"""Decides which failures of a stage are retryable."""

import re
from collections.abc import Sequence

from flows.workspace.redaction import without_passwords

_BY_A_SIGNAL = re.compile(r"exited with (-\d+|129|1[3-5]\d)\b")
"""DVC's word on its stage: minus the signal, or 128 and the signal where a shell stood between."""
_SIGNALS = range(129, 160)
_RETRYABLE = re.compile(
    "|".join(
        [
            r"no space left on device",
            r"disk quota exceeded",
            r"unable to acquire lock",
            r"is being blocked by",
            r"rwlock-file",
            r"connection (refused|reset|aborted|timed out|error)",
            r"(could not|failed to|cannot|unable to) connect",
            r"network is unreachable",
            r"no route to host",
            r"name or service not known",
            r"temporary failure in name resolution",
            r"\b(read|connect|endpoint) ?time(d out|out)",
        ]
    ),
    re.IGNORECASE,
)
_EDITED = re.compile(r" changed while '.+' ran: nothing was recorded")
"""The words of `fer_data.stages.input_changes` for a stage whose inputs somebody edited."""
_OURS = "error: "
_OF_DVC = "ERROR: "


class StageError(Exception):
    """A stage failed, for a reason that is one line."""

    def __init__(self, stage: str, reason: str, retryable: bool) -> None:
        """Says which stage failed, why, and whether another try may succeed."""
        reason = without_passwords(reason)  # a remote's URL may hold one
        super().__init__(stage, reason, retryable)
        self.stage = stage
        self.reason = reason
        self.retryable = retryable

    @property
    def is_of_an_edit(self) -> bool:
        """Whether its inputs were edited meanwhile, so that a retry need not wait."""
        return bool(_EDITED.search(self.reason))

    def __str__(self) -> str:
        """One line."""
        return f"{self.stage}: {self.reason}"


def failure_of(stage: str, code: int, lines: Sequence[str]) -> StageError:
    """Classifies the failure of a stage by its exit code and its output.

    Args:
        stage: Its name.
        code: The exit code of `dvc repro`; 128 and the signal's number where one ended it.
        lines: The last lines of its log.

    Returns:
        The failure, which can pass where a signal ended the process, the disk was full, something could
        not be reached, or what the stage reads was edited meanwhile. A stage's own line `error: ...` is
        believed: what it reports of the data or of the settings stays wrong however often it runs.
    """
    ours = [line for line in lines if line.startswith(_OURS)]
    of_dvc = [line for line in lines if line.startswith(_OF_DVC)]
    if ours:
        retryable = bool(_RETRYABLE.search(ours[-1]) or _EDITED.search(ours[-1]))
        return StageError(stage, ours[-1].removeprefix(_OURS), retryable)
    text = "\n".join(lines)
    signal = _signal_of(code, text)
    if signal:
        return StageError(stage, f"killed by signal {signal}", True)
    reason = (of_dvc or lines or ["no word"])[-1].removeprefix(_OF_DVC)
    return StageError(stage, reason, bool(_RETRYABLE.search(text)))


def _signal_of(code: int, text: str) -> int | None:
    """The signal that ended `dvc repro`, or that by its word ended the command of the stage."""
    if code in _SIGNALS:
        return code - 128
    told = _BY_A_SIGNAL.search(text)
    if told is None:
        return None
    return abs(int(told[1])) % 128


def timed_out(stage: str, minutes: float) -> StageError:
    """The failure of a stage that timed out: retryable, since a training resumes."""
    return StageError(stage, f"ended after {minutes:g} minutes (flows.timeout_minutes)", True)
