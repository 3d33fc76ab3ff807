"""Runs one stage on a Ray node: clones, pulls its inputs, runs it, pushes its outputs."""

import fcntl
import os
import queue
import shutil
import stat
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fer_data.core.errors import UserError
from fer_data.core.locks import HeldError
from flows.execution.local_executor import device_name, threads
from flows.execution.snapshot import LOCK_FILE, Packed, unpack
from flows.workspace.client import dvc, environment
from flows.workspace.retry_policy import failure_of
from flows.workspace.stage_runner import run_stage

NODE_FOLDER = "FERFLOW_NODE"
"""The variable that says where a node keeps clones and its DVC cache, if not in the temporary folder."""


@dataclass(frozen=True)
class StageRequest:
    """A stage to run, with its workspace, environment and resources."""

    stage: str
    above: tuple[str, ...]
    """The stages that make what it reads."""
    lock: bytes
    """The coordinator's `dvc.lock`, newer than the commit's."""
    timeout_minutes: float
    num_threads: int | None
    """For TensorFlow; None: it has a GPU."""


@dataclass(frozen=True)
class StageResult:
    """How a stage ended on a node: `stage_runner.RAN` and the like."""

    value: str


def work(packed: Packed, request: StageRequest) -> Iterator[str | StageResult]:
    """Runs a stage on this node.

    Args:
        packed: The coordinator's workspace.
        request: The stage.

    Yields:
        Its log, line by line as it comes, and at last its outcome.

    Raises:
        StageError: It failed here, or its inputs or outputs could not be moved.
    """
    lines: queue.Queue[str | None] = queue.Queue()
    stop = threading.Event()
    with ThreadPoolExecutor(1) as thread:
        done = thread.submit(_work, packed, request, on_line=lines.put, stop=stop)
        done.add_done_callback(lambda _: lines.put(None))
        try:
            while (line := lines.get()) is not None:
                yield line
        finally:
            stop.set()
        yield StageResult(done.result())


def node_place() -> Path:
    """Where this node's clones and cache lie, whether or not the folder is there."""
    given = os.environ.get(NODE_FOLDER)
    return Path(given or f"{tempfile.gettempdir()}/ferflow-node-{os.getuid()}")


@contextmanager
def node_lock(folder: Path, *, exclusive: bool) -> Iterator[None]:
    """Keeps a node's folder as it is while stages run there, and stages away while it is cleaned.

    Args:
        folder: The node's folder.
        exclusive: Whether to refuse stages; otherwise it waits for a cleaning to end.

    Raises:
        HeldError: A stage runs there, and `exclusive` is asked for.
    """
    with (folder / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB if exclusive else fcntl.LOCK_SH)
        except BlockingIOError:
            raise HeldError(f"a stage of a Ray cluster runs in {folder}: wait for it") from None
        yield


def node_folder() -> Path:
    """The folder of this node's clones and cache, made if need be, into which no other user can write.

    Raises:
        UserError: It is another user's, a link, or open to others: stages would run what they put there.
    """
    given = os.environ.get(NODE_FOLDER)
    folder = node_place()
    try:
        folder.mkdir(mode=0o700, parents=bool(given))
    except FileExistsError:
        found = folder.stat() if given else folder.lstat()
        private = stat.S_ISDIR(found.st_mode) and not found.st_mode & 0o022
        if found.st_uid != os.getuid() or not private:
            raise UserError(
                f"{folder} belongs to somebody else, or others can write to it: remove it, or set "
                f"{NODE_FOLDER} to a folder of your own"
            ) from None
    except OSError as error:
        raise UserError(f"{folder} cannot be made: {error.strerror}: set {NODE_FOLDER}") from None
    return folder


def _work(
    packed: Packed, request: StageRequest, *, on_line: Callable[[str], None], stop: threading.Event
) -> str:
    # The cache is the node's; a clone is the stage's, and that of a run that was cut off is used again.
    try:
        node = node_folder()
    except UserError as error:
        raise failure_of(request.stage, 1, [f"error: {error}"]) from None
    with node_lock(node, exclusive=False):
        return _work_in(node, packed, request, on_line=on_line, stop=stop)


def _work_in(
    node: Path,
    packed: Packed,
    request: StageRequest,
    *,
    on_line: Callable[[str], None],
    stop: threading.Event,
) -> str:
    stage = request.stage
    folder = node / packed.key / stage
    variables = environment() | (
        {} if request.num_threads is None else threads(request.num_threads)
    )
    try:
        if not folder.is_dir():
            unpack(packed, folder, cache=node / "cache")
        (folder / LOCK_FILE).write_bytes(request.lock)
        dvc("pull", *request.above, cwd=folder)
        if request.num_threads is None:
            name = device_name(stage, workspace=folder, environment=variables, stop=stop)
            on_line(f"GPU: {name}")
        outcome = run_stage(
            stage,
            workspace=folder,
            environment=variables,
            timeout_minutes=request.timeout_minutes,
            stop=stop,
            on_line=on_line,
        )
        dvc("push", "--run-cache", stage, cwd=folder)
    except UserError as error:  # of git or DVC: such as a remote that does not answer
        raise failure_of(stage, 1, [str(error)]) from None
    shutil.rmtree(folder)
    return outcome
