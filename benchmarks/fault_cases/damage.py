"""Flips a bit of a file behind DVC's back, and looks whether a stage says so before it uses it."""

import hashlib
import os
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from benchmarks.fault_cases.runs import (
    Ended,
    contents,
    copied,
    differences,
    repro,
    set_setting,
    settings_text,
)
from fer_data.stages.settings import PARAMS_FILE

CASES: tuple[tuple[str, str, str, dict[str, object]], ...] = (
    ("TFRecord shard", "data/tfrecords", "models.scratch", {"epochs": 5}),
    ("pixels", "data/faces/pixels.npy", "crossval", {"epochs": 4}),
    ("manifest", "data/faces/manifest.parquet", "split", {"seed": 1}),
    ("assignments", "data/split/assignments.parquet", "crossval", {"epochs": 4}),
    ("out-of-fold predictions", "data/crossval/fold-0.parquet", "mislabels", {"clear_ratio": 3.0}),
    ("model", "models/scratch", "evaluate", {"bootstrap_resamples": 90}),
)
"""What is damaged, where it lies, and a setting whose change has a stage read it."""


@dataclass(frozen=True)
class Damage:
    """What became of a damaged file."""

    what: str
    place: str
    """In the workspace, or in DVC's cache."""
    is_named: bool
    """Whether `dvc repro` failed, and named it."""
    words: str
    is_mended: bool
    """Whether what the message says to remove, and `dvc repro`, gave the undamaged run's outputs."""
    seconds: float


def damage_all(finished: Path, scratch: Path, *, expected: dict[str, str]) -> Iterator[Damage]:
    """Damages each file once in the workspace and once in DVC's cache, in copies of a finished run."""
    for what, path, section, values in CASES:
        for place in ("workspace", "cache"):
            with copied(finished, scratch) as folder:
                repro(
                    folder
                )  # runs nothing, and lets DVC know the files of the copy by their times
                before = settings_text(folder)
                set_setting(folder, section, **values)
                file = _damaged(folder, path, in_cache=place == "cache")
                ended = repro(folder)
                words = next((line for line in ended.errors if line.startswith("error:")), "")
                is_named = ended.code != 0 and file.name in words
                (folder / PARAMS_FILE).write_text(before, encoding="utf-8")
                mended = _mended(folder, path, expected=expected)
                seconds = ended.seconds
            yield Damage(what, place, is_named, words or _last(ended), mended, seconds)


def flip(file: Path) -> None:
    """Flips a bit in the middle of a file, whose size, time and rights stay."""
    status = file.stat()
    file.chmod(status.st_mode | stat.S_IWUSR)
    with file.open("r+b") as opened:
        opened.seek(status.st_size // 2)
        (value,) = opened.read(1)
        opened.seek(status.st_size // 2)
        opened.write(bytes([value ^ 1]))
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    file.chmod(status.st_mode)


def _damaged(folder: Path, path: str, *, in_cache: bool) -> Path:
    """Damages a file where it lies, or in the cache alone: then DVC brings the damage back by itself."""
    place = folder / path
    file = max(place.rglob("*"), key=lambda one: one.stat().st_size) if place.is_dir() else place
    if not in_cache:
        flip(file)
        return file
    flip(_cached(folder, path, file))
    shutil.rmtree(place) if place.is_dir() else place.unlink()
    return file


def _cached(folder: Path, path: str, file: Path) -> Path:
    """The object of DVC's cache that holds a file."""
    cache = folder / ".dvc/cache/files/md5"
    lock = yaml.safe_load((folder / "dvc.lock").read_text(encoding="utf-8"))["stages"]
    outs = [out for stage in lock.values() for out in stage["outs"] if out["path"] == path]
    digest = outs[0]["md5"]
    if digest.endswith(".dir"):
        listed = yaml.safe_load((cache / digest[:2] / digest[2:]).read_text(encoding="utf-8"))
        digest = next(one["md5"] for one in listed if one["relpath"] == file.name)
    return cache / digest[:2] / digest[2:]


def _mended(folder: Path, path: str, *, expected: dict[str, str]) -> bool:
    """Removes what the message names, the file and the damaged object, and runs again."""
    for cached in (folder / ".dvc/cache/files/md5").glob("*/*"):
        if not cached.suffix and _is_damaged(cached):
            cached.unlink()
    place = folder / path
    if place.is_dir():
        shutil.rmtree(place)
    else:
        place.unlink(missing_ok=True)
    ended = repro(folder)
    return ended.code == 0 and not differences(expected, contents(folder))


def _is_damaged(cached: Path) -> bool:
    digest = hashlib.md5(cached.read_bytes(), usedforsecurity=False).hexdigest()
    return digest != cached.parent.name + cached.name


def _last(ended: Ended) -> str:
    return ended.errors[-1] if ended.errors else f"exit code {ended.code}, no error"
