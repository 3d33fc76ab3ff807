"""The data stages beside what else can be installed: records, duplicates, reading; three runs each.

    pip install cleanvision imagededup                        # into an environment of their own
    python benchmarks/data_stages.py --peers PYTHON           # of that environment
    python benchmarks/data_stages.py --peers PYTHON --packages cleanvision   # the other one takes longer

Copies of Training faces are planted first in a copy of the archive (that of FERFLOW_ARCHIVE, or of
`--archive`): equal pixels, JPEG of quality 50, brighter, shifted by a pixel, mirrored. The real
near-duplicates are those whose 48x48 pixels correlate at .98 or more, as they are or mirrored; all
pairs are compared to find them. Every way runs by a process of its own, one after the other, in each
run; the table has medians, and the ratios within runs.
"""

import argparse
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from PIL import Image

from benchmarks.duplicates import alike, groups_from, normalized, quality
from benchmarks.growth import make_up_folds
from benchmarks.stages import command_of, measure
from fer_data.core.schema import NEAR_GROUP, PATH
from fer_data.core.tables import read_table
from fer_data.stages.settings import DataSettings, read_params, read_settings

PEERS = Path(__file__).parent / "peers"
PACKAGES = ("cleanvision", "imagededup")
NUM_PLANTED = 100
"""Of each sort."""
Times = tuple[float, float, float]
"""Seconds, seconds of processors, peak MB."""


def variants(face: Image.Image) -> dict[str, bytes]:
    """Copies of a face, by sort, as files."""
    pixels = np.asarray(face, np.float32)
    made = {
        "brighter": np.clip(pixels * 0.9 + 20, 0, 255),
        "shifted": np.roll(pixels, 1, axis=1),
        "mirrored": pixels[:, ::-1],
    }
    files = {
        sort: _encode(Image.fromarray(one.astype(np.uint8)), "PNG") for sort, one in made.items()
    }
    return files | {"jpeg": _encode(face, "JPEG", quality=50), "equal": _encode(face, "PNG")}


def _encode(image: Image.Image, form: str, **options: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def make_ready(folder: Path, archive: Path) -> pd.DataFrame:
    """Copies the archive with planted copies, unpacks it; returns the planted: path, sort, original."""
    target = folder / "data/raw/archive.zip"
    target.parent.mkdir(parents=True)
    shutil.copy("params.yaml", folder)
    for name in ("data/relabels.csv", "data/votes.csv", "data/accepted"):
        copy = shutil.copytree if Path(name).is_dir() else shutil.copy
        copy(name, folder / name)
    shutil.copy(archive, target)
    planted: list[tuple[str, str, str]] = []
    with zipfile.ZipFile(target, "a") as opened:
        names = [name for name in opened.namelist() if "Training/" in name and name[-1] != "/"]
        for place in np.random.default_rng(0).permutation(len(names))[:NUM_PLANTED]:
            name = names[place]
            face = Image.open(io.BytesIO(opened.read(name))).convert("L")
            for sort, content in variants(face).items():
                suffix = "jpg" if sort == "jpeg" else "png"
                copy_name = f"{name.rpartition('/')[0]}/planted_{sort}_{place:05d}.{suffix}"
                opened.writestr(copy_name, content)
                planted.append((copy_name, sort, name))
        opened.extractall(folder / "images")
    return pd.DataFrame(planted, columns=["path", "sort", "original"])


class Stages:
    """The stages of the pipeline, run in a folder."""

    def __init__(self, folder: Path) -> None:
        """Reads the graph."""
        self._stages = yaml.safe_load(Path("dvc.yaml").read_text(encoding="utf-8"))["stages"]
        self._folder = folder

    def run(self, *names: str) -> Times:
        """Runs stages one after the other: seconds and seconds of processors in all, and the peak."""
        rows = [
            measure(command_of(self._stages[name], read_params()), folder=self._folder)
            for name in names
        ]
        return sum(row[0] for row in rows), sum(row[1] for row in rows), max(row[2] for row in rows)


def groups_of(folder: Path) -> dict[str, int]:
    """Our group of near-duplicates of each face."""
    table = read_table(folder / "data/split/assignments.parquet", columns=(PATH, NEAR_GROUP))
    return dict(zip(table[PATH], table[NEAR_GROUP], strict=True))


def find(folder: Path, peers: str, package: str) -> Times:
    """Lets a package find duplicates."""
    words = [peers, str(PEERS / "find_duplicates.py"), package, "images", f"{package}.csv"]
    return measure(words, folder=folder)


def once(
    folder: Path, peers: str, packages: Sequence[str]
) -> tuple[dict[str, Times], dict[str, list[float]]]:
    """Runs every way once, duplicates by these packages; its times, and the seconds of reading."""
    stages, here = Stages(folder), [sys.executable]
    times = {"records: ours (ingest, split, rebalance, tfrecords)": stages.run("ingest")}
    times["duplicates: ours (split)"] = stages.run("split")
    if not (folder / "data/mislabels").exists():  # what `rebalance` reads
        make_up_folds(folder, read_settings(DataSettings, "data").expressions)
        stages.run("mislabels")
    rest = stages.run("rebalance", "tfrecords")
    parts = (*times.values(), rest)
    times["records: ours (ingest, split, rebalance, tfrecords)"] = (
        sum(one[0] for one in parts),
        sum(one[1] for one in parts),
        max(one[2] for one in parts),
    )
    shutil.rmtree(folder / "tfds", ignore_errors=True)
    builder = [*here, str(PEERS / "tfds_builder.py"), "data/raw/archive.zip", "tfds"]
    times["records: a TFDS GeneratorBasedBuilder"] = measure(builder, folder=folder)
    times |= {f"duplicates: {package}": find(folder, peers, package) for package in packages}
    reading: dict[str, list[float]] = {}
    training = next((folder / "images").rglob("Training"))
    for way, place in (("records", folder / "data/tfrecords"), ("images", training)):
        command = [*here, str(PEERS / "read_epochs.py"), way, str(place)]
        environment = os.environ | {"PYTHONPATH": str(Path.cwd())}
        told = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
        reading[way] = json.loads(told.stdout.splitlines()[-1])["seconds"]
    return times, reading


def main() -> None:
    """Prints the tables in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--archive", type=Path, default=os.environ.get("FERFLOW_ARCHIVE"))
    parser.add_argument("--peers", required=True, help="Python with cleanvision and imagededup")
    parser.add_argument("--packages", nargs="+", default=PACKAGES, choices=PACKAGES)
    parser.add_argument("--runs", type=int, default=3)
    flags = parser.parse_args()
    if flags.archive is None:
        parser.error("no archive: name one by --archive or FERFLOW_ARCHIVE")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        planted = make_ready(folder, flags.archive)
        runs = []
        for _ in range(flags.runs):
            runs.append(once(folder, flags.peers, flags.packages))
            print(runs[-1], file=sys.stderr, flush=True)
        manifest = read_table(folder / "data/faces/manifest.parquet", columns=(PATH,))
        faces = normalized(np.load(folder / "data/faces/pixels.npy"))
        paths = manifest[PATH].to_numpy(object)
        of_path = dict(zip(paths, faces, strict=True))
        is_planted = set(planted["path"])
        real = [
            (paths[a], paths[b])
            for a, b in sorted(alike(faces))
            if not {paths[a], paths[b]} & is_planted
        ]
        ways = {"ours": groups_of(folder)}
        ways |= {
            name: groups_from(folder / f"{name}.csv") for name in ("cleanvision", "imagededup")
        }
        found = {name: quality(groups, planted, real, of_path) for name, groups in ways.items()}
    rows = {
        name: dict(
            zip(
                ("seconds", "of processors", "peak MB"),
                np.median([times[name] for times, _ in runs], axis=0).round(1),
                strict=True,
            )
        )
        for name in runs[0][0]
    }
    print(pd.DataFrame(rows).T.to_markdown(), "\n")
    print(pd.DataFrame(found).to_markdown(), "\n")
    for place, what in enumerate(("open", "first epoch", "second epoch")):
        both = [(reading["records"][place], reading["images"][place]) for _, reading in runs]
        ours, theirs = np.median(both, axis=0)
        print(f"| {what} | {ours:.2f} s | {theirs:.2f} s |")
    for name, first, second in (
        ("records", "records: a TFDS GeneratorBasedBuilder", next(iter(rows))),
        *(
            (f"duplicates, {name}", f"duplicates: {name}", "duplicates: ours (split)")
            for name in flags.packages
        ),
    ):
        ratios = sorted(times[first][0] / times[second][0] for times, _ in runs)
        print(f"{name}: the peer takes {', '.join(f'{one:.2f}' for one in ratios)} times as long")


if __name__ == "__main__":
    main()
