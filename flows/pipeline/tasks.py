"""Runs the stages of a graph as Prefect tasks, each as soon as those that it needs are done."""

from collections.abc import Callable, Mapping
from typing import Any

from prefect import State, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import TaskRun
from prefect.futures import PrefectFuture
from prefect.states import Cancelled, Completed, Failed
from prefect.tasks import Task, exponential_backoff

from fer_data.core.errors import UserError
from flows.execution.flow_settings import FlowSettings
from flows.execution.local_executor import Executor
from flows.workspace.graph import Graph
from flows.workspace.retry_policy import StageError, failure_of
from flows.workspace.stage_runner import UNCHANGED
from flows.workspace.subprocesses import StoppedError

CACHED = "Cached"
EDITS_BORNE = 3
"""How often a stage is run again at once since somebody edited what it reads while it ran."""


def _is_retryable(_task: Task[..., Any], _run: TaskRun, state: State) -> bool:
    return isinstance(state.data, StageError) and state.data.retryable


@task(cache_policy=NO_CACHE, persist_result=False, retry_condition_fn=_is_retryable)
def rebuild_stage(stage: str, executor: Executor, *, needed: bool) -> State:
    """Runs one stage; `Cached` where nothing was to be done.

    Args:
        stage: Its name.
        executor: Runs it.
        needed: Whether it may have changed; otherwise no process is started.
    """
    if not needed:
        return Completed(name=CACHED, message="nothing that it depends on changed")
    logger = get_run_logger()
    try:
        outcome = run_once(stage, executor, on_line=logger.info)
    except (StageError, UserError) as error:
        failure = error if isinstance(error, StageError) else failure_of(stage, 1, [str(error)])
        logger.error("%s (%s)", failure, "retryable" if failure.retryable else "not retryable")
        return Failed(message=str(failure), data=failure)
    except StoppedError:
        return Cancelled(message=f"{stage}: ended with the flow; the next run goes on from here")
    return Completed(name=CACHED if outcome == UNCHANGED else None, message=outcome)


def run_once(stage: str, executor: Executor, *, on_line: Callable[[str], None]) -> str:
    """Runs a stage, and once more where its inputs were edited meanwhile.

    Args:
        stage: Its name.
        executor: Runs it.
        on_line: Called with each line of its log.

    Returns:
        Its result, as `stage_runner.run_stage` returns it.

    Raises:
        StageError: It failed, or was edited in each of several runs.
    """
    for _ in range(EDITS_BORNE):
        try:
            return executor.run(stage, on_line=on_line)
        except StageError as error:
            if not error.is_of_an_edit:
                raise
            on_line(f"{error}: at once")
    return executor.run(stage, on_line=on_line)


def run_all(
    graph: Graph, executor: Executor, *, needed: frozenset[str], settings: FlowSettings
) -> Mapping[str, State]:
    """Runs the stages of a graph, side by side where it lets them.

    Args:
        graph: The stages.
        executor: Runs them.
        needed: Those that may have changed.
        settings: Say how often to try again.

    Returns:
        Each stage's final state; one below a failed stage is `NotReady`, and did not run.
    """
    futures: dict[str, PrefectFuture[Any]] = {}
    for stage, above in graph.above.items():
        named = rebuild_stage.with_options(
            name=stage,
            task_run_name=stage,
            retries=settings.retries,
            retry_delay_seconds=exponential_backoff(settings.retry_delay_seconds),
        )
        futures[stage] = named.submit(
            *(stage, executor),
            needed=stage in needed,
            wait_for=[futures[one] for one in above],
            return_state=False,
        )
    for future in futures.values():
        future.wait()
    return {stage: future.state for stage, future in futures.items()}
