import os
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from flows.execution.flow_settings import FlowSettings
from flows.execution.local_executor import LocalExecutor, Slots, gpu_names, shares, visible_gpus
from flows.workspace.graph import Graph
from flows.workspace.retry_policy import StageError
from flows.workspace.stage_runner import RAN
from flows.workspace.subprocesses import StoppedError
from tests.support.flows.tiny_graph import FLOWS, fan, make_line

FAKE_TENSORFLOW = """
import os
class config:
    def list_physical_devices(kind):
        return [d for d in os.environ["CUDA_VISIBLE_DEVICES"].split(",") if d in {cards}]
    class experimental:
        def get_device_details(device):
            return dict(device_name="Pretended " + device)
"""
"""A TensorFlow, found in the workspace before the real one, with GPUs that are not there."""
NOTE_CARD = (
    'import os, time; note = "../on-" + os.environ["CUDA_VISIBLE_DEVICES"]; '
    "os.mkdir(note); time.sleep(0.5); os.rmdir(note)"
)
"""Fails if another stage has the same card at the same time."""


def settings(**changes: Any) -> FlowSettings:
    return FlowSettings(**{**FLOWS, **changes})


def executor(line: Path, *, stop: threading.Event | None = None, **changes: Any) -> LocalExecutor:
    on_gpu = frozenset(f"part@{number}" for number in range(4))
    return LocalExecutor(
        line,
        settings=settings(**changes),
        graph=Graph({}),
        on_gpu=on_gpu,
        stop=stop or threading.Event(),
    )


@pytest.fixture
def line(tmp_path: Path) -> Path:
    stages = fan()
    stages["part"]["cmd"] = f'python -c \'{NOTE_CARD}; open("part-${{item.part}}", "w")\''
    folder = make_line(tmp_path / "line", stages)
    (folder / "tensorflow.py").write_text(FAKE_TENSORFLOW.replace("{cards}", "('0', '1')"))
    return folder


def test_no_card_is_given_to_two_stages_at_once(line: Path) -> None:
    running, lines = executor(line, gpus=2), []
    assert running.run("first", on_line=lines.append) == RAN
    stages = [f"part@{number}" for number in range(4)]
    with ThreadPoolExecutor() as threads:
        outcomes = threads.map(partial(running.run, on_line=lines.append), stages)
    assert set(outcomes) == {RAN}
    assert {text for text in lines if text.startswith("GPU")} == {
        *("GPU 0: Pretended 0", "GPU 1: Pretended 1")
    }


def test_a_stage_that_was_given_a_card_fails_where_tensorflow_sees_none(line: Path) -> None:
    (line / "tensorflow.py").write_text(FAKE_TENSORFLOW.replace("{cards}", "()"))
    running = executor(line, gpus=1)
    running.run("first", on_line=lambda _: None)
    for _ in range(2):  # the card is free again after the failure
        with pytest.raises(StageError, match="was given GPU 0, but TensorFlow sees none"):
            running.run("part@0", on_line=lambda _: None)
    assert not (line / "part-0").exists()


LOG = "I0000 00:00:1700000000.000000 1 cuda_executor.cc:1] a line of its log"
LATE = f"\nimport atexit, sys; atexit.register(print, {LOG!r}, file=sys.stderr)\n"
"""TensorFlow writes to its log until it ends."""


def test_a_line_of_tensorflow_s_log_is_neither_a_card_nor_a_reason(line: Path) -> None:
    lines: list[str] = []
    seeing = FAKE_TENSORFLOW.replace("{cards}", "('0',)")
    (line / "tensorflow.py").write_text(seeing + LATE)
    running = executor(line, gpus=1)
    running.run("first", on_line=lambda _: None)
    running.run("part@0", on_line=lines.append)
    assert "GPU 0: Pretended 0" in lines
    (line / "tensorflow.py").write_text(seeing.replace("('0',)", "()") + LATE)
    with pytest.raises(StageError, match=r"GPU 0, but TensorFlow sees none: is its GPU build"):
        running.run("part@1", on_line=lambda _: None)


def test_a_tensorflow_that_breaks_is_told_by_its_last_line(line: Path) -> None:
    (line / "tensorflow.py").write_text("raise ImportError('no libcudart')")
    running = executor(line, gpus=1)
    running.run("first", on_line=lambda _: None)
    message = "TensorFlow ended with code 1; its last line: ImportError: no libcudart"
    with pytest.raises(StageError, match=message):
        running.run("part@0", on_line=lambda _: None)


def test_a_stage_that_wants_no_card_sees_none(line: Path) -> None:
    stages = {"only": {"cmd": "echo -n $CUDA_VISIBLE_DEVICES. > only", "outs": ["only"]}}
    folder = make_line(line.parent / "other", stages)
    executor(folder, gpus=2).run("only", on_line=lambda _: None)
    assert (folder / "only").read_text() == "."


def test_a_slot_is_free_again_when_its_stage_dies() -> None:
    slots = Slots([{"CARD": "0"}], stop=threading.Event())
    with pytest.raises(StageError), slots.taken():
        raise StageError("train@a", "killed by signal 9", True)
    with slots.taken() as slot:
        assert slot == {"CARD": "0"}


def test_who_waits_for_a_slot_is_let_go_when_the_flow_ends() -> None:
    stop = threading.Event()
    slots = Slots([], stop=stop)
    threading.Timer(0.3, stop.set).start()
    with pytest.raises(StoppedError), slots.taken():
        pytest.fail("there is no slot")


def test_the_threads_are_divided_among_the_slots(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    threads = {name: int(number) for name, number in shares(4)[3].items()}
    assert threads == {
        **{"TF_NUM_INTRAOP_THREADS": 2, "TF_NUM_INTEROP_THREADS": 2, "OMP_NUM_THREADS": 2}
    }
    assert len(shares(16)) == 16
    assert set(shares(16)[0].values()) == {"1"}


def test_a_single_slot_leaves_the_threads_alone() -> None:
    assert shares(1) == [{}]


@pytest.mark.parametrize(
    ("hidden", "gpus", "expected"),
    [
        (None, 2, ["0", "1"]),
        ("2,3", None, ["2", "3"]),
        ("", None, []),
        ("-1", None, []),
        ("MIG-a,MIG-b,MIG-c", 2, ["MIG-a", "MIG-b"]),
    ],
)
def test_the_gpus_are_those_of_the_settings_or_those_that_are_not_hidden(
    monkeypatch: pytest.MonkeyPatch, hidden: str | None, gpus: int | None, expected: list[str]
) -> None:
    if hidden is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
    assert visible_gpus(settings(gpus=gpus)) == expected


def test_the_gpus_are_counted_by_nvidia_smi(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert visible_gpus(settings(gpus=None)) == []
    smi = tmp_path / "nvidia-smi"
    smi.write_text("#!/bin/sh\necho 'GPU 0: A (UUID: x)'\necho 'GPU 1: A (UUID: y)'\n")
    smi.chmod(0o755)
    assert visible_gpus(settings(gpus=None)) == ["0", "1"]


DIVIDED = """\
GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-5d5ba0d6-d33d-2b2c-524d-9e3d8d2b8a77)
  MIG 3g.20gb     Device  0: (UUID: MIG-c6d4f1ef-42e4-5de3-91c7-45d71c87eb3f)
  MIG 3g.20gb     Device  1: (UUID: MIG-cba663e8-9bed-5b25-b243-5985ef7c9beb)
GPU 1: NVIDIA A100-SXM4-40GB (UUID: GPU-f0f0a0d6-d33d-2b2c-524d-9e3d8d2b8a77)
"""


def test_instances_take_the_place_of_their_divided_card() -> None:
    assert gpu_names(DIVIDED) == [
        "MIG-c6d4f1ef-42e4-5de3-91c7-45d71c87eb3f",
        "MIG-cba663e8-9bed-5b25-b243-5985ef7c9beb",
        "GPU-f0f0a0d6-d33d-2b2c-524d-9e3d8d2b8a77",
    ]
    older = DIVIDED.replace("MIG-c6d4f1ef-42e4-5de3-91c7-45d71c87eb3f", "MIG-GPU-5d5ba0d6/1/0")
    assert gpu_names(older)[0] == "MIG-GPU-5d5ba0d6/1/0"
    assert gpu_names("No devices found.\n") == []
