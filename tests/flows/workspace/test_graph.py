from pathlib import Path

import pytest

from fer_data.core.errors import UserError
from flows.workspace.graph import Graph, changed_stages, gpu_stages, graph_of, planned, read_graph
from tests.support.flows.tiny_graph import fan, make_line

ROOT = Path(__file__).parents[3]
MODELS = Graph(
    {
        "records": (),
        "train@a": ("records",),
        "train@b": ("records",),
        "ensemble": ("train@a", "train@b"),
        "evaluate@a": ("train@a",),
        "evaluate@b": ("train@b",),
        "evaluate@ensemble": ("ensemble",),
        "report": ("evaluate@a", "evaluate@b", "evaluate@ensemble"),
    }
)


def test_a_drawn_graph_is_read_in_an_order_that_can_run() -> None:
    graph = graph_of('strict digraph {\n"b@1";\n"a";\n"a" -> "b@1";\n"b@1" -> "c";\n}\n')
    assert graph.above == {"a": (), "b@1": ("a",), "c": ("b@1",)}
    assert list(graph.above) == ["a", "b@1", "c"]


def test_what_lies_below_is_found_through_several_stages() -> None:
    assert MODELS.below({"train@b"}) == {
        *("train@b", "evaluate@b", "ensemble", "evaluate@ensemble", "report")
    }


def test_dvc_expands_this_repository_s_stages() -> None:
    graph = read_graph(ROOT)
    assert {"ingest", "crossval@4", "train@scratch", "report"} <= set(graph.above)
    assert {"split", "ingest"} <= set(graph.above["crossval@0"])
    assert "crossval@3" in graph.above["mislabels"]  # through the folder of all folds
    assert "train@compact" in graph.above["train@tiny"]  # its teacher
    order = list(graph.above)
    assert all(
        order.index(up) < order.index(stage) for stage, above in graph.above.items() for up in above
    )


def test_the_stages_that_train_or_predict_are_marked_for_a_gpu() -> None:
    marked = {stage.partition("@")[0] for stage in gpu_stages(ROOT, read_graph(ROOT))}
    assert marked == {"crossval", "train", "member_predictions", "ensemble", "evaluate"}


def test_all_models_are_planned_unless_some_are_named() -> None:
    assert planned(MODELS, frozenset({"records"}), models=None) is MODELS


def test_the_others_and_what_needs_them_are_left_out() -> None:
    graph = planned(MODELS, frozenset({"records"}), models=["a"])
    assert list(graph.above) == ["records", "train@a", "evaluate@a"]


def test_others_that_are_up_to_date_keep_nothing_from_running() -> None:
    graph = planned(MODELS, frozenset({"train@a"}), models=["a", "ensemble"])
    assert graph.above == MODELS.above


def test_a_model_that_there_is_not_is_refused() -> None:
    with pytest.raises(UserError, match="no model c: expected some of a, b, ensemble"):
        planned(MODELS, frozenset(), models=["a", "c"])


def test_only_what_changed_itself_is_named_as_changed(tmp_path: Path) -> None:
    line = make_line(tmp_path / "line", fan())
    assert changed_stages(line) == {"first", "part@0", "part@1", "part@2", "part@3", "last"}


def test_a_folder_without_a_graph_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"no dvc\.yaml in .*: not a Ferflow workspace; `ferflow init"
    ):
        read_graph(tmp_path)
