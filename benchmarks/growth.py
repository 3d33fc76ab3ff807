"""Measures how the data stages grow with the number of faces: seconds of processors and peak memory.

    python benchmarks/growth.py                        # 3,500, 35,000 and 350,000 drawn faces
    python benchmarks/growth.py --faces 3500 35000     # less: two minutes
    python benchmarks/growth.py --keep FOLDER          # a second run draws no faces again

Faces are drawn, and each stage runs by its own command, without DVC. Nothing is trained: what
`crossval` would write is made up, of the right form, so that the ranking means nothing. Seconds of
processors hardly depend on what else the machine does. The outputs' SHA-256, in one, shows whether two
versions wrote the same.
"""

import argparse
import hashlib
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from benchmarks.stages import DATA_STAGES, command_of, measure
from fer_data.core.files import sha256_of
from fer_data.core.schema import FOLD, NEIGHBORS, NO_FOLD, ORIGINAL_SPLIT, PATH, PIXEL_HASH
from fer_data.core.tables import read_table, with_probabilities, write_table
from fer_data.stages.settings import DataSettings, read_params, read_settings

NUM_FACES = (3_500, 35_000, 350_000)
NUM_NEIGHBORS = 8
SOURCES = ("params.yaml", "data/relabels.csv", "data/votes.csv", "data/accepted")
OUTPUTS = ("faces", "split", "mislabels", "review_queue", "curated", "tfrecords")


def make_up_folds(folder: Path, expressions: tuple[str, ...]) -> None:
    """Writes random probabilities and neighbors in the place of `crossval`."""
    faces = read_table(folder / "data/split/assignments.parquet")[[PATH, PIXEL_HASH, FOLD]]
    splits = read_table(folder / "data/faces/manifest.parquet", columns=(PATH, ORIGINAL_SPLIT))
    faces = faces.merge(splits, on=PATH)
    paths = faces[PATH].to_numpy(object)
    for fold in sorted(set(faces[FOLD]) - {NO_FOLD}):
        generator = np.random.default_rng(fold)
        of_fold = faces[faces[FOLD].isin([fold, NO_FOLD])]
        nearby = generator.integers(len(paths), size=(len(of_fold), NUM_NEIGHBORS))
        held_out = (of_fold[FOLD] == fold).to_numpy()
        lists = [
            list(paths[rows]) if held else None for rows, held in zip(nearby, held_out, strict=True)
        ]
        rows = of_fold[[PATH, PIXEL_HASH, ORIGINAL_SPLIT]].assign(**{FOLD: fold, NEIGHBORS: lists})
        scores = generator.dirichlet(np.ones(len(expressions)), len(rows))
        write_table(
            with_probabilities(rows, scores),
            folder / f"data/crossval/fold-{fold}.parquet",
            expressions=expressions,
        )


def make_ready(folder: Path, num_faces: int) -> list[tuple[str, float, float, float]]:
    """Makes a folder to run stages in, and draws its faces unless they are there."""
    archive = folder / "data/raw/archive.zip"
    archive.parent.mkdir(parents=True, exist_ok=True)
    for name in SOURCES:
        source, target = Path(name), folder / name
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        else:
            shutil.copy(source, target)
    if archive.exists():
        return []
    sample = ["ferflow", "sample", str(archive.absolute()), "--faces", str(num_faces)]
    return [("sample", *measure(sample, folder=folder))]


def grown(folder: Path, num_faces: int, names: list[str]) -> list[tuple[str, float, float, float]]:
    """Runs the stages on that many faces; name, seconds, seconds of processors and MB of each."""
    stages = yaml.safe_load(Path("dvc.yaml").read_text(encoding="utf-8"))["stages"]
    expressions = read_settings(DataSettings, "data").expressions
    rows = make_ready(folder, num_faces)
    for name in DATA_STAGES:
        if name == "mislabels" and not (folder / "data/crossval").exists():
            make_up_folds(folder, expressions)
        if name in names:
            command = command_of(stages[name], read_params())
            rows.append((name, *measure(command, folder=folder)))
    return rows


def digest_of(folder: Path) -> str:
    """One SHA-256 of all outputs, the first 16 digits."""
    files = [file for name in OUTPUTS for file in sorted((folder / "data" / name).glob("*"))]
    return hashlib.sha256("".join(map(sha256_of, files)).encode()).hexdigest()[:16]


def main() -> None:
    """Prints a row a stage, and two columns a number of faces."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faces", type=int, nargs="+", default=NUM_FACES)
    parser.add_argument("--stages", nargs="+", default=DATA_STAGES, metavar="STAGE")
    parser.add_argument("--keep", type=Path, help="where the faces and outputs stay")
    flags = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        base = flags.keep or Path(scratch)
        seconds, peaks, digests = {}, {}, {}
        for num_faces in flags.faces:
            rows = grown(base / str(num_faces), num_faces, flags.stages)
            of_stages = [row for row in rows if row[0] != "sample"]
            rows.append(
                (
                    "all stages",
                    sum(row[1] for row in of_stages),
                    sum(row[2] for row in of_stages),
                    max(row[3] for row in of_stages),
                )
            )
            seconds[f"{num_faces:,}"] = {row[0]: round(row[2], 1) for row in rows}
            peaks[f"{num_faces:,}"] = {row[0]: round(row[3]) for row in rows}
            digests[f"{num_faces:,}"] = digest_of(base / str(num_faces))
            print(f"{num_faces:,} faces:", seconds[f"{num_faces:,}"], flush=True)
    tables = {"seconds of processors": pd.DataFrame(seconds), "peak MB": pd.DataFrame(peaks)}
    print(pd.concat(tables, axis=1).to_string())
    print("SHA-256 of the outputs:", digests)


if __name__ == "__main__":
    main()
