"""Runs the stages of a graph as Prefect tasks, each as soon as those that it needs are done."""

from collections.abc import Mapping
from typing import Any

from prefect import State, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import TaskRun
from prefect.futures import PrefectFuture
from prefect.states import Cancelled, Completed, Failed
from prefect.tasks import Task, exponential_backoff

from fer_data.stage import UserError
from flows.engines import Engine
from flows.failures import StageError, failure_of
from flows.graph import Graph
from flows.processes import StoppedError
from flows.settings import FlowSettings
from flows.stages import UNCHANGED

CACHED = "Cached"


def _can_pass(_task: Task[..., Any], _run: TaskRun, state: State) -> bool:
    return isinstance(state.data, StageError) and state.data.can_pass


@task(cache_policy=NO_CACHE, persist_result=False, retry_condition_fn=_can_pass)
def rebuild_stage(stage: str, engine: Engine, *, needed: bool) -> State:
    """Runs one stage; `Cached` where nothing was to be done.

    Args:
        stage: Its name.
        engine: Runs it.
        needed: Whether it may have changed; otherwise no process is started.
    """
    if not needed:
        return Completed(name=CACHED, message="nothing that it depends on changed")
    logger = get_run_logger()
    try:
        outcome = engine.run(stage, on_line=logger.info)
    except (StageError, UserError) as error:
        failure = error if isinstance(error, StageError) else failure_of(stage, 1, [str(error)])
        logger.error("%s (%s)", failure, "can pass" if failure.can_pass else "cannot pass")
        return Failed(message=str(failure), data=failure)
    except StoppedError:
        return Cancelled(message=f"{stage}: ended with the flow; the next run goes on from here")
    return Completed(name=CACHED if outcome == UNCHANGED else None, message=outcome)


def run_all(
    graph: Graph, engine: Engine, *, needed: frozenset[str], settings: FlowSettings
) -> Mapping[str, State]:
    """Runs the stages of a graph, side by side where it lets them.

    Args:
        graph: The stages.
        engine: Runs them.
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
            *(stage, engine),
            needed=stage in needed,
            wait_for=[futures[one] for one in above],
            return_state=False,
        )
    for future in futures.values():
        future.wait()
    return {stage: future.state for stage, future in futures.items()}
