"""Marks flow runs as crashed whose process is gone: they would keep all others waiting."""

import contextlib
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import httpx
import psutil
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.exceptions import PrefectException
from prefect.states import Cancelled, Crashed

from fer_data.core.errors import UserError
from fer_data.core.locks import HeldError
from flows.pipeline.notifications import notify
from flows.workspace.flow_lock import one_at_a_time

RUN_ID = "PREFECT__FLOW_RUN_ID"
"""By which a worker tells the process that it starts, and that one its children, what they run."""
STARTING = timedelta(minutes=10)
"""What a run may be pending without a process: the worker starts it within seconds."""
ENDING = timedelta(minutes=2)
"""What a cancelled run may stand as cancelling without a process: the worker says so in seconds."""
_UNFINISHED = FlowRunFilter(
    state=FlowRunFilterState(
        type=FlowRunFilterStateType(
            any_=[StateType.PENDING, StateType.RUNNING, StateType.CANCELLING]
        )
    )
)

logger = logging.getLogger(__name__)


def sweep_at_start(workspace: Path) -> int:
    """Marks runs as crashed that a machine or a server left behind, before a worker starts any.

    A run that a person started by hand is among them, unless a flow runs in the workspace.

    Returns:
        How many were marked.

    Raises:
        UserError: The server does not take it.
    """
    try:
        with get_client(sync_client=True) as client:
            try:
                with one_at_a_time(workspace):
                    return _mark(client, client.read_flow_runs(flow_run_filter=_UNFINISHED))
            except HeldError:
                return 0
    except (httpx.HTTPError, PrefectException) as error:
        raise UserError(f"the server does not answer: {' '.join(str(error).split())}") from None


def sweep() -> int:
    """Marks the worker's runs as crashed whose process is gone, and never one that starts or ends.

    One that somebody cancelled is marked as cancelled, without a notification.

    Returns:
        How many were marked; none where the server does not answer, since the next sweep comes.
    """
    unanswered = contextlib.suppress(httpx.HTTPError, PrefectException)
    with unanswered, get_client(sync_client=True) as client:
        runs = [
            run for run in client.read_flow_runs(flow_run_filter=_UNFINISHED) if _may_be_gone(run)
        ]
        if runs:
            alive = set(_run_ids())
            return _mark(client, [run for run in runs if run.id not in alive])
    return 0


def _may_be_gone(run: FlowRun) -> bool:
    if run.deployment_id is None or run.state is None:  # by hand: its process does not say its run
        return False
    since = datetime.now(UTC) - run.state.timestamp
    if run.state.is_pending():
        return since > STARTING
    return not run.state.is_cancelling() or since > ENDING


def _run_ids() -> Iterator[UUID]:
    """The runs of which a process of this user's lives."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, KeyError, ValueError):
            yield UUID(process.environ()[RUN_ID])


def _mark(client: SyncPrefectClient, runs: list[FlowRun]) -> int:
    num_marked = 0
    for run in runs:
        # It may have ended, state and process, after it was read and before its process was not found.
        state = client.read_flow_run(run.id).state
        if state is None or state.is_final():
            continue
        ended = (Cancelled if state.is_cancelling() else Crashed)(message="its process is gone")
        client.set_flow_run_state(run.id, ended, force=True)
        num_marked += 1
        if ended.is_crashed():
            notify(client.read_flow(run.flow_id).name, run, ended, logger=logger)
    return num_marked
