"""Runs stages on this machine, each on a GPU or a share of the processors of its own."""

import contextlib
import os
import queue
import re
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Protocol

from fer_models.core.processors import num_usable
from flows.execution.flow_settings import FlowSettings
from flows.workspace.client import environment
from flows.workspace.graph import Graph
from flows.workspace.retry_policy import StageError
from flows.workspace.stage_runner import run_stage
from flows.workspace.subprocesses import POLL_SECONDS, StoppedError, run

VISIBLE = "CUDA_VISIBLE_DEVICES"
_THREADS = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")
_CARD = re.compile(r"GPU \d+: .*\(UUID: (?P<uuid>[^)]+)\)")
_INSTANCE = re.compile(r"\s+MIG .*\(UUID: (?P<uuid>[^)]+)\)")
_ANSWER = "ferflow sees:"
"""Marks the probe's own line: TensorFlow's log is on the same output, and goes on after it."""
_PROBE = f"""
import tensorflow as tf
found = tf.config.list_physical_devices("GPU")
name = found and tf.config.experimental.get_device_details(found[0]).get("device_name")
print({_ANSWER!r}, name or found[0].name if found else "", flush=True)
"""
_PROBE_SECONDS = 300.0


class Executor(Protocol):
    """Runs stages for the flow's tasks."""

    description: str

    def run(self, stage: str, *, on_line: Callable[[str], None]) -> str:
        """Runs a stage, as `stage_runner.run_stage` does, when there is room for it."""
        ...

    def close(self) -> None:
        """Gives back what it holds."""
        ...


class Slots:
    """A pool of environments, each given to one stage at a time."""

    def __init__(self, environments: Iterable[dict[str, str]], *, stop: threading.Event) -> None:
        """Takes what makes the slots different: variables, laid over the common environment."""
        self._free: queue.Queue[dict[str, str]] = queue.Queue()
        for one in environments:
            self._free.put(one)
        self._stop = stop

    @contextlib.contextmanager
    def taken(self) -> Iterator[dict[str, str]]:
        """Waits for a slot, and gives it back however the stage ends.

        Raises:
            StoppedError: The flow ends before there was one.
        """
        while not self._stop.is_set():
            with contextlib.suppress(queue.Empty):
                slot = self._free.get(timeout=POLL_SECONDS)
                break
        else:
            raise StoppedError
        try:
            yield slot
        finally:
            self._free.put(slot)


class LocalExecutor:
    """Runs stages on this machine, in the workspace itself."""

    def __init__(
        self,
        workspace: Path,
        *,
        settings: FlowSettings,
        graph: Graph,  # noqa: ARG002 an executor elsewhere has to know what a stage reads
        on_gpu: frozenset[str],
        stop: threading.Event,
    ) -> None:
        """Shares out the GPUs to the stages that want one; without GPUs, the processors to all."""
        self._workspace = workspace
        self._settings = settings
        self._on_gpu = on_gpu
        self._stop = stop
        cards = visible_gpus(settings)
        self._cards = Slots([{VISIBLE: card} for card in cards], stop=stop) if cards else None
        self._processors = Slots(shares(settings.cpu_slots), stop=stop)
        self.description = (
            f"{len(cards)} GPUs" if cards else f"{settings.cpu_slots} slots on the processors"
        )

    def run(self, stage: str, *, on_line: Callable[[str], None]) -> str:
        """Runs a stage, as `stage_runner.run_stage` does, when a slot is free."""
        if self._cards is None:
            with self._processors.taken() as share:
                return self._run(stage, share, on_line=on_line)
        if stage not in self._on_gpu:  # and must not take the memory of a card
            return self._run(stage, {VISIBLE: ""}, on_line=on_line)
        with self._cards.taken() as card:
            on_line(f"GPU {card[VISIBLE]}: {self._device(stage, card)}")
            return self._run(stage, card, on_line=on_line)

    def close(self) -> None:
        """Holds nothing."""

    def _run(self, stage: str, slot: dict[str, str], *, on_line: Callable[[str], None]) -> str:
        return run_stage(
            stage,
            workspace=self._workspace,
            environment=environment() | slot,
            timeout_minutes=self._settings.timeout_minutes,
            stop=self._stop,
            on_line=on_line,
        )

    def _device(self, stage: str, card: dict[str, str]) -> str:
        return device_name(
            stage, workspace=self._workspace, environment=environment() | card, stop=self._stop
        )


def device_name(
    stage: str, *, workspace: Path, environment: Mapping[str, str], stop: threading.Event
) -> str:
    """The name of the GPU that TensorFlow sees in an environment.

    Raises:
        StageError: It sees none, or does not say: rather no run than a run of days on the processors.
        StoppedError: `stop` was set.
    """
    finished = run(
        ["python", "-c", _PROBE],
        cwd=workspace,
        environment=environment,
        timeout_seconds=_PROBE_SECONDS,
        stop=stop,
        on_line=lambda _: None,
    )
    answers = [line for line in finished.lines if line.startswith(_ANSWER)]
    name = answers[-1].removeprefix(_ANSWER).strip() if answers else ""
    if name:
        return name
    if answers:
        reason = "TensorFlow sees none: is its GPU build installed?"
    elif finished.timed_out:
        reason = f"TensorFlow did not say within {_PROBE_SECONDS:.0f} seconds what it sees"
    else:
        last = finished.lines[-1] if finished.lines else "nothing"
        reason = f"TensorFlow ended with code {finished.code}; its last line: {last}"
    raise StageError(stage, f"was given GPU {environment.get(VISIBLE, '')}, but {reason}", False)


def visible_gpus(settings: FlowSettings) -> list[str]:
    """The GPUs to share out, as `CUDA_VISIBLE_DEVICES` names them: none that it hides already."""
    names = _visible_names()
    if settings.gpus is None:
        return names
    if settings.gpus <= len(names):
        return names[: settings.gpus]
    return [str(number) for number in range(settings.gpus)]


def _visible_names() -> list[str]:
    if VISIBLE in os.environ:
        return [name for name in os.environ[VISIBLE].split(",") if name.strip() not in ("", "-1")]
    try:
        listed = subprocess.run(
            ["nvidia-smi", "--list-gpus"], capture_output=True, text=True, check=True, timeout=60
        ).stdout
    except (FileNotFoundError, subprocess.SubprocessError):
        return []
    return gpu_names(listed)


def gpu_names(listed: str) -> list[str]:
    """The GPUs that `nvidia-smi --list-gpus` printed, as `CUDA_VISIBLE_DEVICES` names them.

    A card that is divided (MIG) is listed before its instances: these take its place. A process sees one
    instance at most, and CUDA's own numbers are those of cards, so that all go by their UUID then.
    """
    instances_of: dict[str, list[str]] = {}
    for line in listed.splitlines():
        if card := _CARD.match(line):
            instances_of[card["uuid"]] = []
        elif instance := _INSTANCE.match(line):
            instances_of[next(reversed(instances_of))].append(instance["uuid"])
    if not any(instances_of.values()):
        return [str(number) for number in range(len(instances_of))]
    return [name for card, instances in instances_of.items() for name in instances or [card]]


def shares(num_slots: int) -> list[dict[str, str]]:
    """As many shares of the processors' threads; a single slot leaves them to TensorFlow."""
    if num_slots == 1:
        return [{}]
    return [threads(max(1, num_usable() // num_slots))] * num_slots


def threads(number: int) -> dict[str, str]:
    """The variables that limit the threads of TensorFlow and of what it is built on."""
    return dict.fromkeys(_THREADS, str(number))
