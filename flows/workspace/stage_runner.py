"""Runs one stage by DVC, in a process of its own, and returns its result."""

import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from flows.workspace.flow_lock import clear_left_locks
from flows.workspace.retry_policy import failure_of, timed_out
from flows.workspace.subprocesses import run

RAN = "run"
RESTORED = "restored from the cache"
UNCHANGED = "unchanged"
_RUNNING = re.compile(r"^Running stage '(.+)':")
_ADVICE = re.compile(
    r"\s*$|To track the changes|\s+git add |To enable auto staging|\s+dvc config core|Use `dvc push`"
)
"""What DVC tells a person at a review app after each run."""
_CACHED = re.compile(r"^Stage '(.+)' is cached - skipping run")


def run_stage(
    stage: str,
    *,
    workspace: Path,
    environment: Mapping[str, str],
    timeout_minutes: float,
    stop: threading.Event,
    on_line: Callable[[str], None],
) -> str:
    """Runs `dvc repro` for one stage alone, beside others in the same workspace.

    Args:
        stage: Its name; what it reads must be up to date.
        workspace: The folder of `dvc.yaml`.
        environment: All of the environment, such as which GPU may be used.
        timeout_minutes: After which it is ended.
        stop: When set, it is ended.
        on_line: Called with each line of its log, as it comes.

    Returns:
        `RAN`, `RESTORED` (an equal run was known) or `UNCHANGED`.

    Raises:
        StageError: It failed, or took too long.
        StoppedError: `stop` was set.
    """
    clear_left_locks(workspace)
    # Without the wait, parallel runs fail at each other's locks; the flag goes before the verb.
    finished = run(
        ["dvc", "--wait-for-lock", "repro", "--single-item", stage],
        cwd=workspace,
        environment=environment,
        timeout_seconds=timeout_minutes * 60,
        stop=stop,
        on_line=lambda line: None if _ADVICE.match(line) else on_line(line),
    )
    if finished.timed_out:
        raise timed_out(stage, timeout_minutes)
    if finished.code:
        raise failure_of(stage, finished.code, finished.lines)
    return result_of(finished.lines)


def result_of(lines: Iterable[str]) -> str:
    """Reads the result of a single stage from DVC's log."""
    found = [outcome for _, outcome in outcomes(lines)]
    return RAN if RAN in found else RESTORED if RESTORED in found else UNCHANGED


def outcomes(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Lists the stages that a log of `dvc repro` shows as run or restored."""
    for line in lines:
        if match := _RUNNING.match(line):
            yield match[1], RAN
        elif match := _CACHED.match(line):
            yield match[1], RESTORED
