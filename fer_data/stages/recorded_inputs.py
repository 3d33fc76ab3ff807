"""Compares what a stage reads with what DVC recorded of the stages that made it.

DVC trusts the time and size of a file, and what its cache holds: neither tells of a byte that a disk or
a copy changed. A stage that reads another stage's output reads the bytes that were recorded, or ends.
"""

import hashlib
import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fer_data.core.catalog import stages_in
from fer_data.core.errors import UserError, one_line
from fer_data.core.yaml_files import read_yaml

LOCK_FILE = Path("dvc.lock")
CACHE = Path(".dvc/cache/files/md5")
"""Where DVC keeps objects, unless its settings say otherwise."""
_HASH = "md5"
_FOLDER = ".dir"
"""The end of the hash of a folder: that of the JSON list of its files with theirs."""
_TRIES = 5
_PAUSE_SECONDS = 0.2


def check_recorded(deps: list[str], *, folder: Path = Path()) -> None:
    """Compares the outputs of other stages among a stage's dependencies with `dvc.lock`.

    What no stage of `dvc.yaml` made, or what DVC did not record, is not compared.

    Args:
        deps: Files and folders that the stage reads.
        folder: The folder of `dvc.yaml`.

    Raises:
        UserError: The bytes of some are others; the message names them and what brings them back.
    """
    differing: list[tuple[str, str]] = []
    for attempt in range(_TRIES):
        differing = [
            (path, recorded)
            for path, recorded in _recorded(deps, folder=folder)
            if (folder / path).exists() and _hash_of(folder / path) != recorded
        ]
        if not differing:
            return
        if attempt < _TRIES - 1:
            time.sleep(_PAUSE_SECONDS)  # another DVC may be writing the file, stages side by side
    raise UserError("; ".join(_in_words(*one, folder=folder) for one in differing))


def _recorded(deps: list[str], *, folder: Path) -> Iterator[tuple[str, str]]:
    """The outputs of stages that the dependencies are, hold, or lie in, with their recorded hashes."""
    try:
        lock = read_yaml(folder / LOCK_FILE)
    except (FileNotFoundError, UserError):  # there is none yet, or it is being written
        return
    stages = lock.get("stages") if isinstance(lock, Mapping) else None
    known = stages_in(folder)
    for name, stage in (stages or {}).items():
        if name.partition("@")[0] in known and isinstance(stage, Mapping):
            yield from _outs(stage, deps)


def _outs(stage: Mapping[str, Any], deps: list[str]) -> Iterator[tuple[str, str]]:
    for out in stage.get("outs") or ():
        path = Path(out["path"])
        needed = any(path.is_relative_to(dep) or Path(dep).is_relative_to(path) for dep in deps)
        if needed and out.get("hash") == _HASH and _HASH in out:
            yield out["path"], out[_HASH]


def _hash_of(path: Path) -> str:
    """The hash that DVC gives a file or a folder."""
    if not path.is_dir():
        with path.open("rb") as opened:
            return hashlib.file_digest(opened, _HASH).hexdigest()
    listed = [{_HASH: _hash_of(file), "relpath": name} for name, file in _files(path).items()]
    text = json.dumps(listed, sort_keys=True, allow_nan=False)
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest() + _FOLDER


def _files(folder: Path) -> dict[str, Path]:
    """All files below a folder by their relative paths, in order."""
    files = {
        file.relative_to(folder).as_posix(): file for file in folder.rglob("*") if file.is_file()
    }
    return dict(sorted(files.items()))


def _in_words(path: str, recorded: str, *, folder: Path) -> str:
    """Says which file is another than was recorded, and how it comes back."""
    name, expected = path, recorded
    listing = folder / CACHE / recorded[:2] / recorded[2:]
    if recorded.endswith(_FOLDER) and listing.is_file():
        now = {file: _hash_of(at) for file, at in _files(folder / path).items()}
        for entry in json.loads(listing.read_text(encoding="utf-8")):
            if now.get(entry["relpath"]) != entry[_HASH]:
                name, expected = f"{path}/{entry['relpath']}", entry[_HASH]
                break
    cached = CACHE / expected[:2] / expected[2:]
    words = f"{one_line(name)} is damaged or edited: its MD5 is not {expected}, as DVC recorded: "
    if (folder / cached).is_file() and _hash_of(folder / cached) != expected:
        return (
            f"{words}so is DVC's copy; remove {path} and {cached}, and `dvc repro` makes it again"
        )
    return f"{words}remove {path}, and `dvc repro` brings it back"
