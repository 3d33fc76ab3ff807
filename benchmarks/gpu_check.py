"""What a GPU must show, in ten minutes: the same bits twice, resuming, speed, sharing, export.

    python benchmarks/gpu_check.py                  # on a machine with a GPU; a table in Markdown
    python benchmarks/gpu_check.py --minutes 5      # what does not fit is named, not left out silently
    python benchmarks/gpu_check.py --tiny           # on any machine: that each step works, no speed

It needs a checkout and no data: the faces are noise, since a step takes as long for any. Each step runs
in processes of its own, so that one that fails, or runs out of memory, leaves the others alone.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks import resume
from fer_data.core.schema import FACE_SIZE, SPLITS, TRAIN
from fer_data.curation.tfrecords import write_records
from fer_data.stages.settings import DataSettings, read_settings
from fer_models.networks.registry import ZOO
from flows.workspace.client import environment
from flows.workspace.create import make_workspace

ROOT = Path(__file__).parents[1]
DEVICE_TESTS = (
    "tests/fer_models/core/test_devices.py",
    "tests/flows/execution/test_local_executor.py",
)
FORMATS = ("onnx", "litert", "saved_model")


@dataclass
class Check:
    """The whole check: where it works, how large it is, and when it must end."""

    workspace: Path
    is_tiny: bool
    ends_at: float

    @property
    def left(self) -> float:
        """Seconds that are left."""
        return self.ends_at - time.monotonic()

    def say(self, step: str, result: str, started: float) -> None:
        """Prints a row at once: a check that is killed has said what it found."""
        print(f"| {step} | {result} | {time.monotonic() - started:.0f} |", flush=True)

    def run(self, words: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """Runs a process in the workspace, which ends when the time does."""
        return subprocess.run(
            words,
            cwd=self.workspace,
            env=environment() | {"PYTHONPATH": str(ROOT)},
            timeout=max(1.0, self.left),
            capture_output=True,
            text=True,
            check=False,
        )


def make_ready(folder: Path, *, is_tiny: bool) -> None:
    """Makes a workspace with records of noise, and small schedules."""
    small = {"epochs": 2}
    settings: dict[str, Any] = {
        "models": {
            "scratch": dict(small),
            "compact": {**small, **({"filters": [8, 16]} if is_tiny else {})},
            "mobilenetv2": {"weights": "none", "epochs": 1, "input_size": 32 if is_tiny else 224},
        }
    }
    make_workspace(folder, overrides=settings)
    sizes = {split: (300 if is_tiny else 20_000) if split == TRAIN else 120 for split in SPLITS}
    num_faces = sum(sizes.values())
    generator = np.random.default_rng(0)
    faces = generator.integers(0, 256, (num_faces, FACE_SIZE, FACE_SIZE), np.uint8)
    expressions = read_settings(DataSettings, "data", file=folder / "params.yaml").expressions
    examples = pd.DataFrame(
        {
            "row": np.arange(num_faces),
            "path": [f"{place}.png" for place in range(num_faces)],
            "pixel_hash": [hashlib.sha256(face.tobytes()).hexdigest() for face in faces],
            "label": np.array(expressions)[generator.integers(len(expressions), size=num_faces)],
            "split": np.repeat(list(sizes), list(sizes.values())),
            "sample_weight": np.float32(1),
            "sample_count": 1,
        }
    )
    records = folder / "data/tfrecords"
    records.mkdir(parents=True)
    write_records(records, examples, faces, expressions=expressions, faces_per_shard=8000, seed=0)


def devices(check: Check) -> Iterator[str]:
    """The devices, and the tests of how they are chosen and shared."""
    words = "from fer_models.core.devices import in_words; print(in_words())"
    yield check.run([sys.executable, "-c", words]).stdout.splitlines()[-1]
    command = [sys.executable, "-m", "pytest", "-n0", *(str(ROOT / one) for one in DEVICE_TESTS)]
    told = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=max(1.0, check.left), check=False
    )
    yield f"tests of devices: {(told.stdout.splitlines() or ['none ran'])[-1]}"


def train(check: Check, model: str, folder: Path) -> None:
    """Trains a model by its stage, with all outputs below a folder; ends it when the time does."""
    process = resume.start(model, folder)
    try:
        if process.wait(max(1.0, check.left)):
            raise RuntimeError(f"the training of {model} failed")
    finally:
        process.kill()
        process.wait()


def same_twice(check: Check) -> Iterator[str]:
    """Two epochs, twice from the same seed; then once more, killed and resumed."""
    for model in ("compact",) if check.is_tiny else ("scratch", "compact"):
        folders = [check.workspace / f"{model}-{number}" for number in range(3)]
        for folder in folders[:2]:
            train(check, model, folder)
        first = resume.result(folders[0])
        yield f"{model} twice: {'equal' if first == resume.result(folders[1]) else 'DIFFERENT'} bits"
        process = resume.start(model, folders[2])
        seconds = json.loads((folders[0] / "report/summary.json").read_text())["seconds"]
        said = resume.kill(process, folders[2], seconds=0.7 * seconds, writing=False)
        train(check, model, folders[2])
        yield f"{said}, then resumed: {'equal' if first == resume.result(folders[2]) else 'DIFFERENT'}"


def fine_tune(check: Check) -> Iterator[str]:
    """An epoch of mobilenetv2 from nothing, at its full input size."""
    train(check, "mobilenetv2", check.workspace / "fine")
    row = pd.read_csv(check.workspace / "fine/report/history.csv").iloc[-1]
    yield f"loss {row['loss']:.3f}, {row['seconds']:.0f} s an epoch"


def speeds(check: Check) -> Iterator[str]:
    """Faces a second of each network, by batch size, without XLA and with it."""
    batches = [32] if check.is_tiny else [32, 64, 128, 256, 512, 1024]
    for model in ("scratch",) if check.is_tiny else ZOO:
        for xla in ("off", "on"):
            words = [sys.executable, str(ROOT / "benchmarks/training_throughput.py"), model, xla]
            told = check.run([*words, *map(str, batches)])
            if told.returncode:
                raise RuntimeError((told.stderr.splitlines() or ["no word"])[-1])
            yield f"{model}, XLA {xla}: {told.stdout.splitlines()[-1]}"


def side_by_side(check: Check) -> Iterator[str]:
    """Faces a second of several trainings at once on the same device."""
    words = [
        sys.executable,
        str(ROOT / "benchmarks/training_throughput.py"),
        "compact",
        "off",
        "64",
    ]
    surroundings = environment() | {"PYTHONPATH": str(ROOT), "TF_FORCE_GPU_ALLOW_GROWTH": "true"}
    for number in (1, 2) if check.is_tiny else (1, 2, 4):
        running = [
            subprocess.Popen(
                words, cwd=check.workspace, env=surroundings, stdout=subprocess.PIPE, text=True,
                stderr=subprocess.DEVNULL,
            )
            for _ in range(number)
        ]  # fmt: skip
        try:
            told = [one.communicate(timeout=max(1.0, check.left))[0] for one in running]
        finally:
            for one in running:
                one.kill()
        if any(one.returncode for one in running):
            raise RuntimeError(f"of {number} trainings at once, one failed")
        each = [float(text.split()[-1].replace(",", "")) for text in told]
        yield f"{number} at once: {sum(each):,.0f} faces a second in all"


def export(check: Check) -> Iterator[str]:
    """Exports of a trained model, each compared with the original by the command itself."""
    model = check.workspace / "compact-0/model/model.keras"
    if not model.exists():
        raise RuntimeError("there is no trained model: the step before failed")
    for form in FORMATS[:1] if check.is_tiny else FORMATS:
        told = check.run(["ferflow", "export", str(model), "--format", form])
        if told.returncode:
            raise RuntimeError((told.stderr.splitlines() or ["no word"])[-1])
        yield f"{form}: {told.stdout.splitlines()[-1].rpartition(': ')[2]}"


STEPS = {
    "devices": devices,
    "two epochs, bit by bit": same_twice,
    "mobilenetv2 from nothing": fine_tune,
    "export": export,
    "trainings at once": side_by_side,
    "faces a second": speeds,
}


def check_all(minutes: float, *, is_tiny: bool, steps: Sequence[str] = tuple(STEPS)) -> int:
    """Runs the steps, and prints a row for each result; gives how many failed or did not fit."""
    failed = 0
    with tempfile.TemporaryDirectory() as scratch:
        check = Check(Path(scratch) / "workspace", is_tiny, time.monotonic() + 60 * minutes)
        make_ready(check.workspace, is_tiny=is_tiny)
        os.chdir(check.workspace)
        print("| step | result | seconds |\n|---|---|---|")
        for step in steps:
            started = time.monotonic()
            try:
                for result in STEPS[step](check):
                    check.say(step, result, started)
                    started = time.monotonic()
                    failed += "DIFFERENT" in result
            except (RuntimeError, OSError, IndexError) as error:
                failed += 1
                check.say(step, f"FAILED: {error}", started)
            except subprocess.TimeoutExpired:
                failed += 1
                check.say(step, "did not fit into the time", started)
        os.chdir(ROOT)
        shutil.rmtree(check.workspace)
    return failed


def main() -> None:
    """Prints the table; exits with 1 where a step failed or did not fit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--tiny", action="store_true")
    flags = parser.parse_args()
    sys.exit(check_all(flags.minutes, is_tiny=flags.tiny) > 0)


if __name__ == "__main__":
    main()
