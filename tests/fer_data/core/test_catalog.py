import json
from pathlib import Path

import pytest

from fer_data.core.catalog import dependency, items, output, stages_in
from fer_data.core.errors import UserError

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("stage_name", "file_name", "expected"),
    [
        ("review_queue", "suspects.csv", "data/review_queue/suspects.csv"),
        ("report", "index.html", "reports/index.html"),
        ("train@scratch", "scratch", "models/scratch"),
        (
            "member_predictions@resnet50",
            "resnet50.parquet",
            "data/member_predictions/resnet50.parquet",
        ),
        ("ensemble", "ensemble", "models/ensemble"),
        ("crossval@3", "fold-3.parquet", "data/crossval/fold-3.parquet"),
    ],
)
def test_paths_come_from_the_graph(stage_name: str, file_name: str, expected: str) -> None:
    assert output(stage_name, file_name, workspace=ROOT) == ROOT / expected


def test_what_people_wrote_is_found_by_who_reads_it() -> None:
    assert dependency("rebalance", "relabels.csv", workspace=ROOT) == ROOT / "data/relabels.csv"
    assert dependency("crossval", "relabels.csv", workspace=ROOT).parent == ROOT / "data/accepted"
    with pytest.raises(UserError, match=r"no stage 'split' with a dependency 'relabels\.csv'"):
        dependency("split", "relabels.csv", workspace=ROOT)


def test_a_stage_that_runs_once_for_each_item_names_them() -> None:
    assert items("crossval", workspace=ROOT) == ("0", "1", "2", "3", "4")
    assert items("evaluate", workspace=ROOT)[0] == "scratch"
    with pytest.raises(UserError, match="no stage 'report' with a matrix"):
        items("report", workspace=ROOT)


def test_items_may_be_listed_in_the_settings(tmp_path: Path) -> None:
    stages = {"bake": {"matrix": {"cake": "${oven.cakes}"}}, "eat": {"foreach": "${oven.cakes}"}}
    (tmp_path / "dvc.yaml").write_text(json.dumps({"stages": stages}))
    (tmp_path / "params.yaml").write_text("oven: {cakes: [nut, plum]}")
    assert items("bake", workspace=tmp_path) == ("nut", "plum")
    assert stages_in(tmp_path)["eat"]["foreach"] == ["nut", "plum"]
    (tmp_path / "params.yaml").write_text("oven: {}")
    with pytest.raises(UserError, match=r"lists nothing .* 'bake' for: `ferflow upgrade`"):
        items("bake", workspace=tmp_path)


@pytest.mark.parametrize(("stage_name", "file_name"), [("nap", "x"), ("report", "suspects.csv")])
def test_an_unknown_artifact_is_named(stage_name: str, file_name: str) -> None:
    with pytest.raises(UserError, match=f"no stage '{stage_name}' with an output '{file_name}'"):
        output(stage_name, file_name, workspace=ROOT)


def test_outside_of_a_workspace_one_line_says_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no dvc\.yaml in .*: not a Ferflow workspace"):
        output("report", "index.html", workspace=tmp_path)
