"""A workspace of one stage whose runs lie in DVC's cache as DVC leaves them, without running DVC."""

import hashlib
import os
from pathlib import Path

import yaml

from tests.support.flows.tiny_graph import make_line, stage

COPY = 'open("only", "w").write(open("source").read())'


def make_nights(folder: Path) -> Path:
    """A workspace whose stage `only` copies the file `source`; it has not run yet."""
    return make_line(folder, {"only": stage(COPY, deps=["source"], outs=["only"])})


def night(folder: Path, word: str, *, at: float | None = None) -> None:
    """Leaves what a run leaves, on other sources: output, `dvc.lock`, cache, run cache.

    Args:
        folder: The workspace.
        word: What `source` and `only` hold.
        at: When the run was, in seconds since 1970; now, where none is given.
    """
    for name in ("source", "only"):
        (folder / name).write_text(word)
    oid, size = store(folder, word, at=at), len(word)
    entry = {"hash": "md5", "md5": oid, "size": size}
    cmd = yaml.safe_load((folder / "dvc.yaml").read_text())["stages"]["only"]["cmd"]
    run = {"cmd": cmd, "deps": [{"path": "source", **entry}], "outs": [{"path": "only", **entry}]}
    lock = {"schema": "2.0", "stages": {"only": run}}
    (folder / "dvc.lock").write_text(yaml.safe_dump(lock, sort_keys=False))
    key = hashlib.sha256(word.encode()).hexdigest()
    written = folder / ".dvc/cache/runs" / key[:2] / key / "value"
    written.parent.mkdir(parents=True, exist_ok=True)
    written.write_text(yaml.safe_dump(run, sort_keys=False))
    set_time(written, at)


def track(folder: Path, name: str, word: str, *, at: float | None = None) -> None:
    """Leaves what `dvc add` leaves of a file."""
    (folder / name).write_text(word)
    out = {"md5": store(folder, word, at=at), "size": len(word), "hash": "md5", "path": name}
    (folder / f"{name}.dvc").write_text(yaml.safe_dump({"outs": [out]}))
    ignore = folder / ".gitignore"
    if name not in (ignore.read_text() if ignore.exists() else ""):
        with ignore.open("a") as file:
            file.write(f"/{name}\n")


def store(folder: Path, word: str, *, at: float | None) -> str:
    """Puts a word into the cache; gives its hash."""
    oid = hashlib.md5(word.encode(), usedforsecurity=False).hexdigest()
    file = folder / ".dvc/cache/files/md5" / oid[:2] / oid[2:]
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(word)
        set_time(file, at)
        file.chmod(0o444)
    return oid


def cached_words(folder: Path) -> set[str]:
    """What the objects of the cache hold."""
    files = (folder / ".dvc/cache/files").rglob("*")
    return {file.read_text() for file in files if file.is_file()}


def set_time(file: Path, at: float | None) -> None:
    """Dates a file back."""
    if at is not None:
        os.utime(file, (at, at))
