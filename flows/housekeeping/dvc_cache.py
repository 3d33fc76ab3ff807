"""What may go of DVC's cache, by `dvc gc`, and of its run cache, which `dvc gc` leaves alone.

`dvc gc` tells what neither the workspace nor a branch, tag, young commit or experiment uses. What of it
a stage made may go, since it can be made again, unless it is young. An archive that nothing names any
more stays: it may be the only one.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

from flows.housekeeping.leftovers import Leftovers, kept, local_leftovers, remove_all
from flows.workspace.client import dvc
from flows.workspace.flow_lock import without_dvc

_WOULD_GO = re.compile(r"^Removing (.+)$")
_OUTPUT = re.compile(r"^  md5: ([0-9a-f]{32}(?:\.dir)?)$", re.MULTILINE)
_FOLDER = ".dir"
"""The end of the name of an object that lists the files of a folder."""


def cache_leftovers(
    workspace: Path, *, cutoff: datetime, clones: Sequence[Path]
) -> list[Leftovers]:
    """Finds what may go of the workspace's cache.

    Args:
        workspace: A git and DVC workspace.
        cutoff: What was made since then stays, and what commits since then use.
        clones: Clones that share the cache, and have uses of their own.

    Returns:
        The outputs, and the entries of the run cache.

    Raises:
        UserError: DVC cannot read the workspace or a commit: nothing may go then.
    """
    cache = (workspace / dvc("cache", "dir", cwd=workspace).strip()).resolve()
    if not cache.is_relative_to(workspace.resolve()):
        words = "all: it lies outside of the workspace, and others may use it; `dvc gc` cleans it"
        return [Leftovers("cached outputs", str(cache), 0, 0, words)]
    objects = sorted((cache / "files").glob("*/??/*"), key=lambda path: path.suffix != _FOLDER)
    unused = set(_unused(workspace, cutoff=cutoff, clones=clones))
    runs = sorted((cache / "runs").glob("*/*/*"))
    made = set(_made_by(runs, cache=cache))
    old = {path for path in unused.intersection(objects) if _is_before(path, cutoff)}
    used = [path for path in objects if path not in unused]
    young = [path for path in objects if path in unused and path not in old]
    going = [path for path in objects if path in old and _hash_of(path) in made]
    foreign = [path for path in objects if path in old and _hash_of(path) not in made]
    stays = kept(
        (used, "object", "in use by the workspace, a branch, tag, young commit or experiment"),
        (young, "object", "young"),
        (foreign, "object", "which no stage can make again, such as archives"),
    )
    left = {_hash_of(path) for path in objects}.difference(map(_hash_of, going))
    dead = {run for run in runs if _is_before(run, cutoff) and not _lives(run, left)}
    living = [run for run in runs if run not in dead]

    def remove(paths: Iterable[Path]) -> None:
        with without_dvc(workspace):
            remove_all(paths)

    return [
        local_leftovers(
            "cached outputs",
            cache / "files",
            going,
            stays=stays,
            remove=remove,
        ),
        local_leftovers(
            "entries of the run cache",
            cache / "runs",
            sorted(dead),
            stays=kept((living, "run", "young, or its outputs stay")),
            remove=remove,
        ),
    ]


def _unused(workspace: Path, *, cutoff: datetime, clones: Sequence[Path]) -> Iterator[Path]:
    """The objects that `dvc gc` would remove."""
    uses = ("--workspace", "--rev", "HEAD", "--all-branches", "--all-tags", "--all-experiments")
    others = ("--projects", *map(str, clones)) if clones else ()
    date = cutoff.date().isoformat()
    said = dvc("gc", *uses, "--date", date, "--dry", "--force", *others, cwd=workspace)
    for line in said.splitlines():
        if match := _WOULD_GO.match(line):
            yield Path(match[1]).resolve()


def _made_by(runs: Iterable[Path], *, cache: Path) -> Iterator[str]:
    """The hashes of all that stages made, as the run cache has it."""
    for run in runs:
        for found in _outputs(run):
            yield found
            listed = cache / "files/md5" / found[:2] / found[2:]
            if found.endswith(_FOLDER) and listed.is_file():
                yield from (entry["md5"] for entry in json.loads(listed.read_text()))


def _outputs(run: Path) -> list[str]:
    """The hashes of a run's outputs, which its entry lists last."""
    return _OUTPUT.findall(run.read_text(encoding="utf-8").rpartition("\nouts:\n")[2])


def _lives(run: Path, objects: set[str]) -> bool:
    """Whether DVC can still restore a run's outputs."""
    return objects.issuperset(_outputs(run))


def _is_before(path: Path, moment: datetime) -> bool:
    return path.stat().st_mtime < moment.timestamp()


def _hash_of(path: Path) -> str:
    return path.parent.name + path.name
