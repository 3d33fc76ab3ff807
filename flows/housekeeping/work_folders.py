"""What may go of what failed runs leave behind: checkpoints, clones of experiments, Ray's clones."""

import re
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from fer_data.core.catalog import stages_in
from fer_data.core.locks import held
from flows.execution.ray_worker import node_lock
from flows.housekeeping.leftovers import (
    Leftovers,
    kept,
    last_change,
    local_leftovers,
    remove_all,
)
from flows.workspace.graph import changed_stages, read_graph

CHECKPOINTS = Path("checkpoints")
CLONES = Path(".dvc/tmp/flows")
_FLAG = re.compile(r"--checkpoints\s+(\S+)")
_ITEM = re.compile(r"\$\{[^}]*\}")


def clones_of(workspace: Path) -> list[Path]:
    """The clones in which experiments of the flow ran, and did not end well."""
    return sorted(path for path in (workspace / CLONES).glob("*") if path.is_dir())


def clone_leftovers(workspace: Path, *, cutoff: datetime) -> Leftovers:
    """Finds the clones of experiments that no flow has touched since some moment."""
    clones = clones_of(workspace)
    going = [path for path in clones if last_change(path) < cutoff.timestamp()]
    young = [path for path in clones if path not in going]
    stays = kept((young, "clone", "young: the same `--set` goes on in it"))
    return local_leftovers("clones of experiments", workspace / CLONES, going, stays=stays)


def checkpoint_leftovers(workspace: Path, *, cutoff: datetime) -> Leftovers:
    """Finds checkpoints that no training resumes from: of stages that are up to date, or gone.

    Raises:
        UserError: DVC cannot read the workspace.
    """
    graph = read_graph(workspace)
    pending = graph.below(changed_stages(workspace) & graph.above.keys())
    folders = sorted(path for path in (workspace / CHECKPOINTS).glob("*/*") if path.is_dir())
    stages = _stages_by_folder(workspace, graph.above)
    resumable = [path for path in folders if stages.get(path.parent) in pending]
    rest = [path for path in folders if path not in resumable]
    going = [path for path in rest if last_change(path) < cutoff.timestamp()]
    young = [path for path in rest if path not in going]
    stays = kept(
        (resumable, "training", "which may resume, since its stage is to rerun"),
        (young, "training", "young"),
    )

    def remove(paths: Iterable[Path]) -> None:
        for path in paths:
            refusal = f"process {{holder}} trains with {path.parent}: its checkpoints stay"
            with held(path.parent / "lock", refusal=refusal):
                remove_all([path])

    where = workspace / CHECKPOINTS
    return local_leftovers("checkpoints", where, going, stays=stays, remove=remove)


def node_leftovers(folder: Path, *, cutoff: datetime) -> list[Leftovers]:
    """Finds what may go of a Ray node's clones and cache: all of it can be fetched from the remote.

    Args:
        folder: The node's folder, which need not be there.
        cutoff: What was written since then stays.
    """
    cache = folder / "cache"
    clones = [path for path in folder.glob("*/*") if path.is_dir() and path.parent != cache]
    objects = [path for path in cache.rglob("*") if path.is_file()]
    found: list[Leftovers] = []
    for what, noun, paths in (
        ("clones of Ray's stages", "clone", clones),
        ("cached outputs of Ray's stages", "object", objects),
    ):
        going = {path for path in paths if last_change(path) < cutoff.timestamp()}
        young = [path for path in paths if path not in going]
        stays = kept((young, noun, "young"))

        def remove(paths: Iterable[Path]) -> None:
            with node_lock(folder, exclusive=True):
                remove_all(paths)
                for path in folder.glob("*"):
                    with suppress(OSError):  # it holds something, or is no folder
                        path.rmdir()

        found.append(local_leftovers(what, folder, sorted(going), stays=stays, remove=remove))
    return found


def _stages_by_folder(workspace: Path, stages: Iterable[str]) -> dict[Path, str]:
    """The stage that writes each folder of checkpoints, as `dvc.yaml` names it."""
    templates = stages_in(workspace)
    found: dict[Path, str] = {}
    for stage in stages:
        name, _, item = stage.partition("@")
        template = templates.get(name, {})
        if match := _FLAG.search(template.get("do", template).get("cmd", "")):
            found[workspace / _ITEM.sub(item, match[1])] = stage
    return found
