"""Ends a green flow run: publishes its reports, and shows them in the Prefect UI."""

import re
from pathlib import Path
from typing import Any

from prefect import State, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import TaskRun
from prefect.runtime import flow_run
from prefect.states import Completed, Failed
from prefect.tasks import Task, exponential_backoff

from fer_data.core.errors import UserError
from fer_data.stages.settings import PARAMS_FILE, read_settings
from flows.execution.flow_settings import FlowSettings
from flows.pipeline.ui_artifacts import record_artifacts
from flows.publishing.publish import PublishSettings, name_by_time, publish
from flows.publishing.storage import UnreachableError
from flows.workspace.graph import Graph

HELD_BACK = "Held back"
"""The name of a completed state: the run is stored, but another one stays the latest."""
_PAGES = {"report", "quality_report"}


def _is_retryable(_task: Task[..., Any], _run: TaskRun, state: State) -> bool:
    return isinstance(state.data, UnreachableError)


@task(
    name="publish",
    task_run_name="publish",
    cache_policy=NO_CACHE,
    persist_result=False,
    retry_condition_fn=_is_retryable,
)
def publish_reports(workspace: Path, *, run_name: str, force: bool) -> State:
    """Publishes a workspace's reports, where a destination is set, and makes its artifacts.

    Args:
        workspace: Where the stages have run.
        run_name: What the run is called at the destination.
        force: Whether it becomes the latest run even where a model is worse.
    """
    try:
        settings = read_settings(PublishSettings, "publish", file=workspace / PARAMS_FILE)
        published = None
        if settings.destination is not None:
            published = publish(workspace, settings=settings, run_name=run_name, force=force)
        record_artifacts(workspace, published)
    except UserError as error:
        get_run_logger().error("%s", error)
        return Failed(message=str(error), data=error)
    if published is None:
        return Completed(message="publish.destination is null: nothing is published")
    if not published.is_latest:
        get_run_logger().warning("%s", published.outcome)
        return Completed(name=HELD_BACK, message=published.outcome)
    return Completed(message=published.outcome)


def end_of_run(workspace: Path, graph: Graph, *, done: str, force: bool) -> State:
    """Publishes the reports of a flow run whose stages are up to date; returns its final state.

    Args:
        workspace: Where they are.
        graph: The stages that the run saw to. Without both of the reports' there is nothing to publish.
        done: What was done so far, in one line.
        force: As `publish_reports` takes it.

    Returns:
        Completed, `Held back` if a worse run kept `latest` as it is; or failed, with the stages as they
        are, if the reports could not be published.
    """
    if not graph.above.keys() >= _PAGES:
        return Completed(message=done)
    settings = read_settings(FlowSettings, "flows", file=workspace / PARAMS_FILE)
    publishing = publish_reports.with_options(
        retries=settings.retries,
        retry_delay_seconds=exponential_backoff(settings.retry_delay_seconds),
    )
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", f"{name_by_time()}-{flow_run.name}")[:100]
    state = publishing(workspace, run_name=name, force=force, return_state=True)
    message = f"{done}; {state.message}"
    if state.is_completed():
        return Completed(name=state.name, message=message)
    return Failed(message=message)
