"""Runs stages on a Ray cluster: each in a clone on some node, its results fetched by DVC's remote.

Ray only hands out GPUs and processors. The Prefect task stays with the coordinator, which passes on the
log and collects the results; so a node that is lost is a failure that Prefect sees, and tries again.
"""

import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import ray
import ray.exceptions

from fer_data.core.errors import UserError
from flows.execution.executors import LOOPBACK
from flows.execution.flow_settings import FlowSettings
from flows.execution.local_executor import LocalExecutor
from flows.execution.ray_worker import StageRequest, StageResult, work
from flows.execution.snapshot import LOCK_FILE, pack
from flows.workspace.client import dvc, environment
from flows.workspace.graph import Graph
from flows.workspace.retry_policy import StageError, failure_of, timed_out
from flows.workspace.stage_runner import RAN, result_of
from flows.workspace.subprocesses import POLL_SECONDS, StoppedError, run

ANSWER_SECONDS = 30.0


class RayExecutor:
    """Runs the stages that want a GPU on a Ray cluster, the others in the workspace itself."""

    def __init__(
        self,
        workspace: Path,
        *,
        settings: FlowSettings,
        graph: Graph,
        on_gpu: frozenset[str],
        stop: threading.Event,
    ) -> None:
        """Joins the cluster, or starts one on loopback; pushes what is up to date to the DVC remote.

        Raises:
            UserError: The workspace has no default DVC remote, or there is no such cluster.
        """
        check_remote(workspace)
        self._workspace = workspace
        self._settings = settings
        self._above = graph.above
        self._on_gpu = on_gpu
        self._stop = stop
        self._beside = LocalExecutor(
            workspace, settings=settings, graph=graph, on_gpu=frozenset(), stop=stop
        )
        dvc("push", cwd=workspace)
        join(settings.ray_address)
        pack(workspace)  # refuses one that cannot be packed before anything runs
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        self._needs = needs(nodes, num_slots=settings.cpu_slots)
        words = " and ".join(f"{name}={number}" for name, number in self._needs.items())
        self.description = f"{len(nodes)} Ray nodes, {words} for a stage"

    def run(self, stage: str, *, on_line: Callable[[str], None]) -> str:
        """Runs a stage on some node, and collects what it made."""
        if stage not in self._on_gpu:
            outcome = self._beside.run(stage, on_line=on_line)
            dvc("push", "--run-cache", stage, cwd=self._workspace)
            return outcome
        outcome = self._send(stage, on_line=on_line)
        self._collect(stage, on_line=on_line)
        return outcome

    def close(self) -> None:
        """Leaves the cluster; one that was started here ends."""
        ray.shutdown()

    def _send(self, stage: str, *, on_line: Callable[[str], None]) -> str:
        request = StageRequest(
            stage=stage,
            above=self._above[stage],
            lock=(self._workspace / LOCK_FILE).read_bytes(),
            timeout_minutes=self._settings.timeout_minutes,
            num_threads=None if "num_gpus" in self._needs else int(self._needs["num_cpus"]),
        )
        # Not tried again by Ray, but by Prefect, where people see it.
        remote = ray.remote(max_retries=0, num_returns="streaming", **self._needs)(work)
        try:
            # As it is now, since somebody may have edited it since the flow began.
            packed = ray.put(pack(self._workspace))
            for word in said(remote.remote(packed, request), stop=self._stop):
                if isinstance(word, StageResult):
                    return word.value
                on_line(word)
        except ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, StageError | StoppedError):
                raise error.cause from None
            raise
        except ray.exceptions.RayError as error:
            why = " ".join(str(error).split()).partition(" This can happen")[0]
            reason = f"its Ray node was lost: {why}"
            raise StageError(stage, reason, True) from None
        raise StageError(stage, "its Ray node ended without a word", True)

    def _collect(self, stage: str, *, on_line: Callable[[str], None]) -> None:
        """Takes the results out of the remote; fails before anything is trained a second time."""

        def check(line: str) -> None:
            if result_of([line]) == RAN:
                raise StageError(stage, "the DVC remote does not hold its results", True)
            on_line(line)

        finished = run(
            ["dvc", "--wait-for-lock", "repro", "--pull", "--single-item", stage],
            cwd=self._workspace,
            environment=environment(),
            timeout_seconds=self._settings.timeout_minutes * 60,
            stop=self._stop,
            on_line=check,
        )
        if finished.timed_out:
            raise timed_out(stage, self._settings.timeout_minutes)
        if finished.code:
            raise failure_of(stage, finished.code, finished.lines)


def check_remote(workspace: Path) -> None:
    """Refuses a workspace without a default DVC remote.

    Raises:
        UserError: There is none.
    """
    if not dvc("config", "core.remote", cwd=workspace).strip():
        raise UserError(
            "on Ray, results travel by a DVC remote, and there is none: "
            "`dvc remote add --default NAME URL`, which every node can reach"
        )


def join(address: str | None) -> None:
    """Joins a Ray cluster, or starts one of this machine alone, that listens on loopback.

    Raises:
        UserError: There is no cluster at the address.
    """
    if address is None:
        ray.init(_node_ip_address=LOOPBACK, include_dashboard=False, log_to_driver=False)
        return
    host, _, port = address.rpartition(":")
    try:  # since Ray itself would try for minutes
        socket.create_connection((host, int(port)), timeout=ANSWER_SECONDS).close()
    except OSError as error:
        raise UserError(f"no Ray cluster at {address} (flows.ray_address): {error}") from None
    ray.init(address, log_to_driver=False)


def needs(nodes: list[Mapping[str, float]], *, num_slots: int) -> dict[str, Any]:
    """The resources that a stage requests of Ray.

    Args:
        nodes: The resources of each node: `CPU`, and `GPU` where it has some.
        num_slots: Stages side by side on a node, where no node has a GPU.

    Returns:
        A GPU, or a share of the smallest node's processors.
    """
    if any(node.get("GPU") for node in nodes):
        return {"num_gpus": 1}
    smallest = min(node["CPU"] for node in nodes if node.get("CPU"))
    return {"num_cpus": max(1, int(smallest) // num_slots)}


def said(words: ray.ObjectRefGenerator, *, stop: threading.Event) -> Iterator[str | StageResult]:
    """Logs the lines of a node as they come.

    Raises:
        StoppedError: `stop` was set; the node's work was ended.
        RayError: The node was lost.
    """
    while not stop.is_set():
        if not ray.wait([words], timeout=POLL_SECONDS)[0]:
            continue
        try:
            word = next(words)
        except StopIteration:
            return
        yield ray.get(word)
    ray.cancel(words, force=True)
    raise StoppedError
