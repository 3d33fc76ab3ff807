"""A small workspace in git, with a manifest and without any other artifact."""

import json
import shutil
import subprocess
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from fer_data.core.schema import DECISION_COLUMNS
from fer_data.core.tables import write_table
from tests.support.data.manifests import EXPRESSIONS, THRESHOLDS, plain_manifest

ROOT = Path(__file__).parents[3]
RELABELS = Path("data/relabels.csv")
ACCEPTED = Path("data/accepted")


def make(folder: Path) -> pd.DataFrame:
    """Makes the workspace, committed; gives its manifest."""
    manifest, _ = plain_manifest()
    write_table(manifest, folder / "data/faces/manifest.parquet")
    (folder / ACCEPTED).mkdir()
    header = ",".join(DECISION_COLUMNS) + "\n"
    for file in (RELABELS, ACCEPTED / "relabels.csv"):
        (folder / file).write_text(header)
    for name in ("profile.json", "metrics.json"):
        (folder / ACCEPTED / name).write_text("null\n")
    params = {"data": {"expressions": EXPRESSIONS}, "validate": asdict(THRESHOLDS)}
    (folder / "params.yaml").write_text(json.dumps(params))
    for name in ("dvc.yaml", ".gitattributes"):
        shutil.copyfile(ROOT / name, folder / name)
    (folder / ".gitignore").write_text("/data/faces/\n/reports/\n")
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "config", "user.name", "Ann")
    git(folder, "config", "user.email", "ann@localhost")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "Start")
    return manifest


def decide(folder: Path, manifest: pd.DataFrame, *rows: int, decision: str = "drop") -> None:
    """Appends decisions on faces, by their rows."""
    with (folder / RELABELS).open("a") as file:
        for face in manifest.iloc[list(rows)].itertuples():
            file.write(f"{face.pixel_hash},{face.label},{decision},ann,2026-01-31T10:00:00Z,\n")


def git(folder: Path, *words: str) -> str:
    """What a git command prints, which must succeed."""
    command = ["git", *words]
    finished = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return finished.stdout
