"""Runs the stages of a workspace side by side, on this machine, without a server."""

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from time import monotonic

from flows.workspace.client import environment
from flows.workspace.graph import Graph
from flows.workspace.stage_runner import run_stage

STAGE_MINUTES = 24 * 60.0
"""After which a stage is ended, whatever it does."""


def run_side_by_side(
    workspace: Path,
    graph: Graph,
    *,
    shares: Sequence[Mapping[str, str]],
    on_line: Callable[[str], None],
    on_done: Callable[[str, float], None],
) -> None:
    """Runs each stage by DVC as soon as those that it needs are done.

    Args:
        workspace: The folder of `dvc.yaml`.
        graph: The stages to run.
        shares: As many stages run at once, each with one of these environments.
        on_line: Called with each line that a stage prints, from several threads.
        on_done: Called with a stage's name and seconds when it has ended.

    Raises:
        StageError: A stage failed; those that run beside it are ended first.
    """
    stop = threading.Event()
    free = list(shares)
    todo = dict(graph.above)
    running: dict[Future[float], tuple[str, Mapping[str, str]]] = {}

    def run(stage: str, share: Mapping[str, str]) -> float:
        started = monotonic()
        run_stage(
            stage,
            workspace=workspace,
            environment={**environment(), **share},
            timeout_minutes=STAGE_MINUTES,
            stop=stop,
            on_line=on_line,
        )
        return monotonic() - started

    with ThreadPoolExecutor(len(shares)) as pool:
        try:
            while todo or running:
                waited_for = {*todo, *(stage for stage, _ in running.values())}
                ready = [stage for stage, above in todo.items() if waited_for.isdisjoint(above)]
                for stage in ready[: len(free)]:
                    share = free.pop()
                    del todo[stage]
                    running[pool.submit(run, stage, share)] = (stage, share)
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    stage, share = running.pop(future)
                    free.append(share)
                    on_done(stage, future.result())
        finally:
            stop.set()
