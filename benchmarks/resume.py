"""Kills a training again and again, and compares how it ends with one that was never interrupted.

    python benchmarks/resume.py                       # 20 kills of `scratch`
    python benchmarks/resume.py --model mobilenetv2 --kills 5

Run it in a workspace where `dvc repro tfrecords` has run, such as one of `ferflow demo`; it writes to a
folder of its own. Two kills of three come at a random moment, in mid-epoch for the most part; the third
while a checkpoint is being written.
"""

import argparse
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

from fer_data.core.catalog import output
from fer_data.stages.pipeline_settings import PipelineSettings
from fer_data.stages.settings import read_settings
from fer_models.networks.registry import model_named
from flows.workspace.client import environment


def start(model: str, folder: Path) -> subprocess.Popen[bytes]:
    """Starts the stage `train` with all its outputs below a folder."""
    for left in folder.glob(".report.*.unfinished"):  # by one that was killed
        shutil.rmtree(left)
    words = [sys.executable, "-m", "fer_models.training.train", "--model", model]
    places = {
        "records": output("tfrecords", "tfrecords"),
        "starts-from": read_settings(PipelineSettings, "pipeline").models[model].starts_from,
        "checkpoints": folder / "checkpoints",
        "model-folder": folder / "model",
        "report": folder / "report",
    }
    for flag, path in places.items():
        words += [f"--{flag}", str(path)]
    return subprocess.Popen(words, env=environment(), stderr=subprocess.DEVNULL)


def kill(process: subprocess.Popen[bytes], folder: Path, *, seconds: float, writing: bool) -> str:
    """Kills a training some time after it has set up, or while it writes; says where it was."""
    checkpoints, started = folder / "checkpoints", time.time()

    def half_written() -> bool:
        files = checkpoints.glob("*/.epoch-*.unfinished/*")
        return any(file.stat().st_mtime > started for file in files if file.exists())

    known = set(checkpoints.glob("*/epoch-*.npz"))
    while process.poll() is None and not list(folder.glob(".report.*.unfinished/*/dvclive")):
        time.sleep(0.01)
    moment = time.monotonic() + seconds
    while process.poll() is None:
        if half_written() if writing else time.monotonic() > moment:
            process.send_signal(signal.SIGKILL)
            process.wait()
            place = "while a checkpoint was being written" if half_written() else "in mid-epoch"
            new = len(set(checkpoints.glob("*/epoch-*.npz")) - known)
            return f"killed {place}; {new} new on disk"
        time.sleep(0.0003)
    return "ended before the kill"


def result(folder: Path) -> tuple[bytes, str]:
    """The model's bytes, and the history without its seconds."""
    history = pd.read_csv(folder / "report" / "history.csv").drop(columns="seconds")
    return (folder / "model" / "model.keras").read_bytes(), history.to_csv()


def main() -> None:
    """Prints a line a kill, and whether the ends are equal, bit for bit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="scratch")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    flags = parser.parse_args()
    generator = random.Random(flags.seed)
    with tempfile.TemporaryDirectory() as temporary:
        whole, broken = Path(temporary) / "whole", Path(temporary) / "broken"
        if start(flags.model, whole).wait():
            sys.exit("error: the training failed: has `dvc repro tfrecords` run here?")
        trained = json.loads((whole / "report" / "summary.json").read_text())["seconds"]
        settings_class = model_named(flags.model).settings_class
        epochs = read_settings(settings_class, f"models.{flags.model}").epochs
        print(f"{flags.model}: {epochs} epochs in {trained:.0f} s", flush=True)
        for number in range(flags.kills):
            wait = generator.uniform(0, 2.5) * trained / epochs
            process = start(flags.model, broken)
            said = kill(process, broken, seconds=wait, writing=number % 3 == 2)
            print(f"{number + 1:>4}  {said}", flush=True)
        if start(flags.model, broken).wait():
            sys.exit("error: the last training failed")
        equal = result(whole) == result(broken)
    print("model and history are equal, bit for bit" if equal else "error: the ends DIFFER")
    sys.exit(not equal)


if __name__ == "__main__":
    main()
