"""The flow that rebuilds a workspace: each DVC stage a Prefect task, side by side where it can.

ferflow run                                 # what changed, on this machine
ferflow run --models scratch,mobilenetv2    # these models alone
ferflow run --set models.scratch.epochs=5   # in a clone, recorded as an experiment
"""

import hashlib
import json
import shutil
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from prefect import State, flow, get_run_logger
from prefect.states import Completed, Failed

from fer_data.annotation.pending_decisions import waiting
from fer_data.core.errors import UserError
from fer_data.core.yaml_files import parse_yaml
from fer_data.stages.all_settings import check_settings
from fer_data.stages.settings import PARAMS_FILE, read_settings
from flows.execution.executors import ExecutorName, executor_named
from flows.execution.flow_settings import FlowSettings
from flows.housekeeping.clean import clean_after_flow
from flows.housekeeping.free_space import space_warning
from flows.housekeeping.work_folders import CLONES
from flows.pipeline.api_access import join
from flows.pipeline.experiments import clone_with, record
from flows.pipeline.notifications import tell_of_failure, warn
from flows.pipeline.publish_task import end_of_run
from flows.pipeline.tasks import CACHED, run_all
from flows.workspace.client import dvc
from flows.workspace.flow_lock import clear_left_locks, one_at_a_time
from flows.workspace.graph import Graph, changed_stages, gpu_stages, planned, read_graph
from flows.workspace.stage_runner import outcomes


@flow(
    name="rebuild",
    persist_result=False,
    on_failure=[tell_of_failure],
    on_crashed=[tell_of_failure],
)
def rebuild(
    executor: ExecutorName = "local",
    models: list[str] | None = None,
    overrides: dict[str, Any] | None = None,
    force: bool = False,
) -> State:
    """Rebuilds the workspace that it runs in: what changed, and nothing else.

    Args:
        executor: Where the stages run.
        models: The models to train and measure; none given, all.
        overrides: Settings to replace, section by section, for an experiment in a clone: neither
            `params.yaml` nor any output of the workspace is touched, and nothing is published.
        force: Whether the run is published as the latest even where a model is worse.

    Returns:
        A state whose message says what was done, or in one line what went wrong.
    """
    workspace = Path.cwd()
    try:
        with one_at_a_time(workspace):
            if not overrides:
                graph, done = _rebuild(workspace, executor=executor, models=models)
                state = end_of_run(workspace, graph, done=done, force=force)
                if state.is_completed():
                    clean_after_flow(workspace, logger=get_run_logger())
                return state
            with _experiment(workspace, overrides) as folder:
                _, done = _rebuild(folder, executor=executor, models=models)
            return Completed(message=done)
    except UserError as error:
        return Failed(message=str(error))


def _rebuild(
    workspace: Path, *, executor: ExecutorName, models: list[str] | None
) -> tuple[Graph, str]:
    """The stages that were seen to, and what was done, in one line."""
    check_settings(workspace)
    settings = read_settings(FlowSettings, "flows", file=workspace / PARAMS_FILE)
    clear_left_locks(workspace)
    changed = changed_stages(workspace)
    graph = planned(read_graph(workspace), changed, models=models)
    needed = graph.below(changed & graph.above.keys())
    if warning := space_warning(workspace, needed=needed):
        warn(warning)
    stop = threading.Event()
    try:
        on_gpu = gpu_stages(workspace, graph)
        with closing(
            executor_named(executor, settings=settings)(
                workspace, settings=settings, graph=graph, on_gpu=on_gpu, stop=stop
            )
        ) as runner:
            get_run_logger().info(
                "%d stages, %d of them changed or below a change; executor %s: %s",
                *(len(graph.above), len(needed), executor, runner.description),
            )
            states = run_all(graph, runner, needed=needed, settings=settings)
    finally:
        stop.set()  # however it ends, no stage outlives its flow
    failures = [state.message or stage for stage, state in states.items() if state.is_failed()]
    if failures:
        raise UserError(f"{len(failures)} of {len(states)} stages failed: {'; '.join(failures)}")
    _check_nothing_is_left(workspace, graph, timeout_minutes=settings.timeout_minutes)
    done = [stage for stage, state in states.items() if state.name != CACHED]
    if not done:
        return graph, f"nothing changed: {len(states)} stages are up to date"
    return graph, f"{len(done)} of {len(states)} stages rebuilt: {', '.join(done)}"


def _check_nothing_is_left(workspace: Path, graph: Graph, *, timeout_minutes: float) -> None:
    """Asks `dvc repro` first what it would do, since what it reruns it first removes."""
    repro = partial(dvc, "repro", cwd=workspace, timeout_seconds=timeout_minutes * 60)
    left = [stage for stage, _ in outcomes(repro("--dry", *graph.above).splitlines())]
    if left:
        raise UserError(
            f"after the flow, `dvc repro` would run {', '.join(left)} again: did somebody edit the "
            "workspace meanwhile? The next flow rebuilds it"
        )
    repro(*graph.above)
    waits = waiting(workspace)
    if waits:
        raise UserError(f"after the flow, {'; '.join(waits)}")


@contextmanager
def _experiment(workspace: Path, overrides: Mapping[str, Any]) -> Iterator[Path]:
    """A clone with the overrides, recorded as an experiment and removed when all went well."""
    key = hashlib.sha256(json.dumps(overrides, sort_keys=True).encode()).hexdigest()[:16]
    folder = workspace / CLONES / key
    changes = clone_with(overrides, workspace=workspace, folder=folder)
    logger = get_run_logger()
    logger.info("in %s: %s", folder, "; ".join(changes) or "settings as they are")
    yield folder
    name = record(folder, workspace=workspace)
    shutil.rmtree(folder)
    logger.info(
        "experiment %s: see `dvc exp show`, or take it over with `dvc exp apply %s`", name, name
    )


def run_flow(
    *, executor: ExecutorName, models: list[str] | None, assignments: Sequence[str], force: bool
) -> None:
    """Runs the flow in the current folder, under the server that serves it or a temporary one.

    Args:
        executor: Where the stages run.
        models: The models to train and measure; none given, all.
        assignments: What `overrides_of` takes.
        force: Whether the run is published as the latest even where a model is worse.

    Raises:
        UserError: An assignment is wrong, or the flow failed.
    """
    overrides = overrides_of(assignments)
    join(Path.cwd())
    state = rebuild(
        executor=executor, models=models, overrides=overrides, force=force, return_state=True
    )
    if not state.is_completed():
        raise UserError(state.message or f"the flow ended {state.name}")


def overrides_of(words: Sequence[str]) -> dict[str, Any]:
    """Reads `models.scratch.epochs=5` as sections with keys; the value is YAML.

    Raises:
        UserError: A word is no such assignment.
    """
    overrides: dict[str, Any] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not (key and equals):
            raise UserError(f"--set {word}: expected KEY=VALUE, such as models.scratch.epochs=5")
        *sections, last = key.split(".")
        target = overrides
        for section in sections:
            target = target.setdefault(section, {})
            if not isinstance(target, dict):
                raise UserError(f"--set {word}: another --set gives '{section}' a value")
        if isinstance(target.get(last), dict):
            raise UserError(f"--set {word}: another --set has keys below '{last}'")
        target[last] = parse_yaml(value, where=f"--set {word}: the value")
    return overrides


if __name__ == "__main__":
    sys.stderr.write("error: `python -m flows.pipeline.flow` is now `ferflow run`\n")
    sys.exit(2)
