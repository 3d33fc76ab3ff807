"""Reads the stages of a workspace in their order, and which of them changed, from DVC."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from fer_data.core.catalog import GRAPH_FILE, no_workspace, stages_in
from fer_data.core.errors import UserError
from flows.workspace.client import dvc

_NODE = re.compile(r'^"(?P<stage>[^"]+)";$')
_EDGE = re.compile(r'^"(?P<above>[^"]+)" -> "(?P<below>[^"]+)";$')


@dataclass(frozen=True)
class Graph:
    """Stages with what they wait for, each after all that it needs."""

    above: Mapping[str, tuple[str, ...]]
    """Of each stage, in the order in which they can run, the stages that make what it reads."""

    def below(self, stages: Iterable[str]) -> frozenset[str]:
        """The stages, and all that is made of what they make."""
        found = set(stages)
        for stage, above in self.above.items():
            if found.intersection(above):
                found.add(stage)
        return frozenset(found)

    def needs(self, stage: str) -> frozenset[str]:
        """The stage, and all that make what it needs."""
        found = {stage}
        for one in reversed(list(self.above)):  # followers first
            if one in found:
                found.update(self.above[one])
        return frozenset(found)

    def without(self, stages: frozenset[str]) -> "Graph":
        """The graph without some stages, all of whose followers must be among them."""
        return Graph({stage: up for stage, up in self.above.items() if stage not in stages})


def read_graph(workspace: Path) -> Graph:
    """The stages of `dvc.yaml`, as DVC expands them, and the data that it tracks.

    Raises:
        UserError: There is no `dvc.yaml`, or DVC refuses it.
    """
    if not (workspace / GRAPH_FILE).is_file():
        raise UserError(no_workspace(workspace / GRAPH_FILE))
    return graph_of(dvc("dag", "--dot", cwd=workspace))


def graph_of(dot: str) -> Graph:
    """The graph that `dvc dag --dot` drew."""
    above: dict[str, list[str]] = {}
    for line in map(str.strip, dot.splitlines()):
        if node := _NODE.match(line):
            above.setdefault(node["stage"], [])
        elif edge := _EDGE.match(line):
            above.setdefault(edge["above"], [])
            above.setdefault(edge["below"], []).append(edge["above"])
    ordered: dict[str, tuple[str, ...]] = {}
    while len(ordered) < len(above):
        ready = [
            stage for stage in above if stage not in ordered and ordered.keys() >= {*above[stage]}
        ]
        ordered.update({stage: tuple(above[stage]) for stage in ready})
    return Graph(ordered)


def changed_stages(workspace: Path) -> frozenset[str]:
    """The stages whose own dependencies, settings or outputs changed, by one `dvc status`.

    What lies below them is not among them: whether that changes shows when they have run.
    """
    return frozenset(json.loads(dvc("status", "--json", cwd=workspace)))


def planned(graph: Graph, changed: frozenset[str], *, models: Iterable[str] | None) -> Graph:
    """The part of the graph that is to be up to date in the end.

    Args:
        graph: All stages.
        changed: Those that `dvc status` names.
        models: The models to train and measure; the stages of the others are left out, unless they are
            up to date already, with all that needs them. None: all models.

    Raises:
        UserError: A model that no stage is for.
    """
    if models is None:
        return graph
    known = {_item(stage) for stage in graph.above if stage.startswith("evaluate@")}
    chosen = set(models)
    if unknown := chosen - known:
        raise UserError(
            f"no model {', '.join(sorted(unknown))}: expected some of {', '.join(sorted(known))}"
        )
    # The ensemble is trained by a stage of its own name.
    others = {stage for stage in graph.above if (_item(stage) or stage) in known - chosen}
    return graph.without(graph.below(others & graph.below(changed)))


def stages_after_decisions(graph: Graph, model: str) -> list[str]:
    """The stages by which decisions reach the queue and a model, with all that it is made of.

    Args:
        graph: The workspace's.
        model: A model that is measured, `ensemble` or one that another teaches too.

    Raises:
        UserError: No stage measures such a model.
    """
    measured = f"evaluate@{model}"
    if measured not in graph.above:
        known = [
            one.removeprefix("evaluate@") for one in graph.above if one.startswith("evaluate@")
        ]
        raise UserError(f"no model '{model}': expected one of {', '.join(known)}")
    learning = graph.needs(measured) & graph.below(["rebalance"])
    return [stage for stage in graph.above if stage in learning or stage == "review_queue"]


def gpu_stages(workspace: Path, graph: Graph) -> frozenset[str]:
    """The stages that want a GPU to themselves: those that `dvc.yaml` marks `meta: {gpu: true}`."""
    stages = stages_in(workspace)
    marked = {
        name
        for name, stage in stages.items()
        if stage.get("do", stage).get("meta", {}).get("gpu", False)
    }
    return frozenset(stage for stage in graph.above if stage.partition("@")[0] in marked)


def _item(stage: str) -> str:
    return stage.partition("@")[2]
