"""A simulated review decides in the given order, in a copy, and measures after each step."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest

from fer_data.annotation.apply_decisions import final_labels
from fer_data.annotation.decision_log import read_decisions
from fer_data.annotation.latest_decisions import latest_decisions
from fer_data.core.errors import UserError
from fer_data.core.schema import DECISION_COLUMNS
from fer_data.core.tables import write_table
from fer_data.review_queue.audit import AUDIT_COLUMNS
from flows.simulation.recorded_annotator import RecordedAnnotator, by_key
from flows.simulation.simulated_review import (
    Order,
    SimulatedReview,
    Step,
    as_table,
    read_orders,
    simulate,
    undecided_faces,
)
from flows.simulation.simulation_page import simulation_page
from flows.workspace.graph import Graph, stages_after_decisions

ROOT = Path(__file__).parents[3]
NUM_FACES = 40
PLANTED = pd.DataFrame(
    {"path": ["00.jpg", "02.jpg", "31.jpg"], "true_label": ["happy", "", "fear"]}
)
"""Wrong labels: two that the queue begins with, and one at its end."""
STAGES = ("review_queue", "rebalance", "tfrecords", "train@scratch", "evaluate@scratch")


def faces() -> pd.DataFrame:
    places = range(NUM_FACES)
    return pd.DataFrame(
        {
            "path": [f"{place:02d}.jpg" for place in places],
            "pixel_hash": [f"{place:064x}" for place in places],
            "label": "sad",
            "rank": [place + 1 for place in places],
        }
    )


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """Where all stages have run, on faces called sad, the last ten of them excluded."""
    folder = tmp_path / "workspace"
    folder.mkdir()
    for name in ("dvc.yaml", "params.yaml"):
        shutil.copyfile(ROOT / name, folder / name)
    data = folder / "data"
    split = ["train"] * 30 + ["excluded"] * 10
    write_table(faces().assign(split=split), data / "split/assignments.parquet")
    write_table(faces(), data / "mislabels/label_quality.parquet")
    write_table(faces().assign(split=split), data / "curated/examples.parquet")
    tested = pd.DataFrame({"split": ["test"] * 10, "label": "sad", "prediction": "sad"})
    tested.loc[:3, "prediction"] = "fear"
    write_table(tested, folder / "reports/evaluate/scratch/predictions.parquet")
    (data / "review_queue").mkdir()
    queue = faces().assign(suggested_label="fear", label_quality=0.1, issue_type="wrong")
    queue.head(30).to_csv(data / "review_queue/suspects.csv", index=False)
    pd.DataFrame(columns=list(AUDIT_COLUMNS)).to_csv(data / "review_queue/audit.csv", index=False)
    (data / "relabels.csv").write_text(f"{','.join(DECISION_COLUMNS)}\n")
    (folder / ".venv").mkdir()
    return folder


def apply(copy: Path, stages: Sequence[str]) -> None:
    """What the stages would do: the queue without the decided faces, and final labels."""
    log = read_decisions(copy / "data/relabels.csv", expressions=("sad", "happy", "fear"))
    decided = latest_decisions(log)
    final = dict(zip(decided["pixel_hash"], final_labels(decided), strict=True))
    if "review_queue" in stages:
        file = copy / "data/review_queue/suspects.csv"
        queue = pd.read_csv(file)
        queue[~queue["pixel_hash"].isin(list(final))].to_csv(file, index=False)
    if "rebalance" in stages:
        examples = faces().assign(split="train").head(30)
        label = examples["pixel_hash"].map(final).fillna("sad")
        examples = examples.assign(label=label)[label != "drop"]
        write_table(examples, copy / "data/curated/examples.parquet")


def run(workspace: Path, tmp_path: Path, order: Order, **options) -> list[Step]:
    annotator = options.pop("annotator", by_key(PLANTED, faces()))
    settings = {"num_faces": 20, "step": 8, "model": "scratch", "seed": 0, "run": apply, **options}
    settings.setdefault("stages", STAGES)
    review = SimulatedReview(annotator, **settings)
    return list(simulate(workspace, tmp_path / "scratch", review, orders=[order]))


def test_the_queue_s_first_faces_are_decided_step_by_step(workspace: Path, tmp_path: Path) -> None:
    before = (workspace / "data/relabels.csv").read_text()
    steps = run(workspace, tmp_path, "queue")
    assert [one.decisions for one in steps] == [0, 8, 16, 20]
    assert [one.wrong_found for one in steps] == [0, 2, 2, 2]
    assert [round(one.label_error, 4) for one in steps] == [round(2 / 30, 4), 0, 0, 0]
    assert steps[0].accuracy == 0.6
    assert 0.3 < steps[0].low < 0.6 < steps[0].high < 0.9
    assert (workspace / "data/relabels.csv").read_text() == before  # copies alone were changed
    assert not list((tmp_path / "scratch").iterdir())


def test_random_faces_are_others_than_the_queue_s_and_follow_the_seed(workspace: Path) -> None:
    shown = {seed: undecided_faces(workspace, "random", seed=seed) for seed in (0, 1)}
    for order in shown.values():
        assert len(order) == 30  # without the excluded ones
    assert list(shown[0]["path"]) != list(shown[1]["path"])
    assert list(shown[0]["path"]) == list(undecided_faces(workspace, "random", seed=0)["path"])
    assert sorted(shown[0]["path"]) == [f"{place:02d}.jpg" for place in range(30)]


def test_a_review_ends_where_no_face_is_left(workspace: Path, tmp_path: Path) -> None:
    steps = run(workspace, tmp_path, "random", num_faces=100, step=25)
    assert [one.decisions for one in steps] == [0, 25, 30]


def test_faces_that_the_annotator_does_not_know_are_passed_over(workspace, tmp_path) -> None:
    annotator = RecordedAnnotator({"05.jpg": "sad", "00.jpg": "happy"}, "votes")
    steps = run(workspace, tmp_path, "learned", annotator=annotator, num_faces=10, step=5)
    assert [(one.decisions, one.wrong_found) for one in steps] == [(0, 0), (2, 1)]
    assert [one.label_error for one in steps] == [0.5, 0]


def test_an_annotator_who_knows_no_open_face_is_refused(workspace, tmp_path) -> None:
    annotator = RecordedAnnotator({"35.jpg": "sad", "00.jpg": "sad"}, "votes")
    (workspace / "data/review_queue/suspects.csv").write_text(
        "path,pixel_hash,label\n05.jpg,5,sad\n"
    )
    with pytest.raises(UserError, match="the annotator knows none of the 1 faces that are to be"):
        run(workspace, tmp_path, "queue", annotator=annotator)


GRAPH = Graph(
    {
        "crossval@0": (),
        "mislabels": ("crossval@0",),
        "review_queue": ("mislabels",),
        "rebalance": (),
        "tfrecords": ("rebalance",),
        "train@compact": ("tfrecords",),
        "train@scratch": ("tfrecords",),
        "train@tiny": ("tfrecords", "train@compact"),
        "member_predictions@compact": ("tfrecords", "train@compact"),
        "ensemble": ("tfrecords", "member_predictions@compact"),
        "evaluate@scratch": ("tfrecords", "train@scratch", "mislabels"),
        "evaluate@tiny": ("tfrecords", "train@tiny", "mislabels"),
        "evaluate@ensemble": ("tfrecords", "ensemble", "mislabels"),
    }
)


@pytest.mark.parametrize(
    ("model", "made_of"),
    [
        ("scratch", ["train@scratch"]),
        ("tiny", ["train@compact", "train@tiny"]),
        ("ensemble", ["train@compact", "member_predictions@compact", "ensemble"]),
    ],
)
def test_all_that_a_model_is_made_of_learns_from_the_decisions(model, made_of) -> None:
    stages = stages_after_decisions(GRAPH, model)
    assert stages == ["review_queue", "rebalance", "tfrecords", *made_of, f"evaluate@{model}"]


def test_an_unknown_model_is_told_those_that_there_are() -> None:
    for name in ("nope", "../../etc", "compact"):
        with pytest.raises(
            UserError, match=r"no model '.*': expected one of scratch, tiny, ensemble$"
        ):
            stages_after_decisions(GRAPH, name)


def test_a_workspace_that_is_not_built_is_one_line(workspace: Path, tmp_path: Path) -> None:
    (workspace / "data/review_queue/audit.csv").unlink()
    with pytest.raises(
        UserError, match=r"audit\.csv is missing: `dvc repro review_queue` makes it"
    ):
        run(workspace, tmp_path, "queue")


def test_the_page_has_both_charts_and_each_order_s_end(workspace: Path, tmp_path: Path) -> None:
    steps = [one for order in ("queue", "random") for one in run(workspace, tmp_path, order)]
    page = simulation_page(as_table(steps), model="scratch", annotator="drawn annotator")
    assert page.count("<svg") == 2
    assert "after 20 decisions (queue by label quality)" in page
    assert page.index("Wrong labels in training: 6.7") < page.index("<svg")
    assert "on the 30 faces of" in page
    assert "queue by label quality" in page
    assert "at random" in page
    assert "http" not in page.replace("http://www.w3.org", "")


def test_orders_are_named_once_each() -> None:
    assert read_orders("random, queue") == ["random", "queue"]
    for text in ("", "random,random", "best"):
        with pytest.raises(UserError, match="expected some of learned, queue, random, each once"):
            read_orders(text)
