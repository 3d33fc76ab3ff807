"""What may go of Prefect's database: flow runs that ended long ago, with their logs and artifacts.

The server that `ferflow serve` starts removes them by itself (`vacuum_variables`), every hour; cleaning
by hand need not wait for that.
"""

import os
from datetime import datetime
from pathlib import Path

import httpx
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterEndTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import TERMINAL_STATES
from prefect.exceptions import ObjectNotFound, PrefectException

from fer_data.core.errors import UserError
from flows.housekeeping.leftovers import NOTHING, Leftovers, counted, size_of, space_in_words
from flows.housekeeping.retention_settings import retention_of
from flows.pipeline.api_access import API_URL, HOME, join, running_url

WHAT = "flow runs in Prefect"
_VACUUM = "PREFECT_SERVER_SERVICES_DB_VACUUM"
_DAY_SECONDS = 24 * 3600


def vacuum_variables(workspace: Path) -> dict[str, str]:
    """The variables by which a Prefect server removes old flow runs; none without `retention`.

    Raises:
        SettingsError: A key of the section is wrong.
    """
    retention = retention_of(workspace)
    if retention is None:
        return {}
    return {
        f"{_VACUUM}_ENABLED": "events,flow_runs",
        f"{_VACUUM}_RETENTION_PERIOD": str(retention.keep_days * _DAY_SECONDS),
    }


def flow_run_leftovers(workspace: Path, *, cutoff: datetime) -> Leftovers:
    """Finds flow runs that ended before a moment, at the workspace's own server.

    Another server, which `PREFECT_API_URL` names, is left alone: it may hold runs of others.

    Args:
        workspace: The workspace.
        cutoff: The moment.
    """
    home = workspace.absolute() / HOME
    database = sum(size_of(file) for file in home.glob("prefect.db*"))
    space = f"the database takes {space_in_words(database)}"
    if not home.is_dir():
        return Leftovers(WHAT, str(home), 0, 0, NOTHING)
    url = running_url(workspace)
    if os.environ.get(API_URL, url) != url:
        return Leftovers(WHAT, str(home), 0, 0, f"all: {API_URL} names another server; {space}")
    if url is None:
        words = f"all: no server runs; `ferflow serve` removes old ones by itself; {space}"
        return Leftovers(WHAT, str(home), 0, 0, words)
    join(workspace)
    ended = FlowRunFilter(
        end_time=FlowRunFilterEndTime.model_validate({"before_": cutoff}),
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[*TERMINAL_STATES])),
    )

    def remove() -> None:
        try:
            with get_client(sync_client=True) as client:
                while runs := client.read_flow_runs(flow_run_filter=ended):
                    for run in runs:
                        try:
                            client.delete_flow_run(run.id)
                        except ObjectNotFound:  # the server was faster
                            continue
        except (httpx.HTTPError, PrefectException) as error:
            raise _silent(error) from None

    try:
        with get_client(sync_client=True) as client:
            number = client.count_flow_runs(flow_run_filter=ended)
            num_all = client.count_flow_runs()
    except (httpx.HTTPError, PrefectException) as error:
        raise _silent(error) from None
    stays = f"{counted(num_all - number, 'run')}, young or not ended; {space}"
    return Leftovers(WHAT, str(home), number, None if number else 0, stays, remove)


def _silent(error: Exception) -> UserError:
    return UserError(f"the server does not answer: {' '.join(str(error).split())}")
