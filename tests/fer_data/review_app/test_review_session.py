from pathlib import Path

import pandas as pd
import pytest

from fer_data.core.errors import UserError
from fer_data.review_app.queued_faces import queued_faces
from fer_data.review_app.review_session import Review
from tests.support.servers.review_app import (
    EXPRESSIONS,
    NEAR_DUPLICATES,
    NEIGHBOR_ROWS,
    RELABELS,
    archive,
    make_workspace,
    neighbors_of,
    queue,
    standing,
)

MANIFEST, FACES = archive()
SUSPECTS = queue(MANIFEST)
NEIGHBORS = neighbors_of(SUSPECTS, MANIFEST)
HASHES = list(MANIFEST["pixel_hash"])


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return make_workspace(tmp_path)


def review_app_on(workspace: Path) -> Review:
    """As another process would open it."""
    faces = queued_faces(SUSPECTS, MANIFEST, NEIGHBORS)
    return Review(faces, workspace / RELABELS, expressions=EXPRESSIONS)


@pytest.fixture
def review(workspace: Path) -> Review:
    return review_app_on(workspace)


def test_the_lowest_label_quality_comes_first() -> None:
    shuffled = SUSPECTS.sample(frac=1, random_state=0)
    faces = queued_faces(shuffled, MANIFEST, NEIGHBORS)
    # Near-duplicates (29, 32 and 34) are next to each other.
    rows = [*range(30), 32, 34, 30, 31, 33, *range(35, 40)]
    assert [face["rank"] for face in faces] == [row + 1 for row in rows]
    assert faces[2] == {
        "path": MANIFEST["path"][2],
        "pixel_hash": HASHES[2],
        "label": "sad",
        "suggested_label": "angry",
        "rank": 3,
        "issue_type": "ambiguous",
        "near_group": 2,
        "neighbors": [
            {"pixel_hash": HASHES[row], "label": MANIFEST["label"][row]} for row in NEIGHBOR_ROWS
        ],
        "duplicates": [],
    }


def test_duplicates_tell_their_labels_save_those_in_testing() -> None:
    duplicates = queued_faces(SUSPECTS, MANIFEST, NEIGHBORS)[0]["duplicates"]
    assert duplicates == [
        {
            "path": MANIFEST["path"][50],
            "pixel_hash": HASHES[0],
            "original_split": "training",
            "label": MANIFEST["label"][50],
        },
        {
            "path": MANIFEST["path"][60],
            "pixel_hash": HASHES[0],
            "original_split": "testing",
            "label": None,
        },
    ]


def test_near_duplicates_are_told_of_in_the_queue_and_elsewhere() -> None:
    face = queued_faces(SUSPECTS, MANIFEST, NEIGHBORS)[30]
    assert face["path"] == MANIFEST["path"][32]
    assert face["near_group"] == NEAR_DUPLICATES[0]
    told = [(duplicate["pixel_hash"], duplicate["label"]) for duplicate in face["duplicates"]]
    assert told == [(HASHES[row], MANIFEST["label"][row]) for row in (29, 34, 52)] + [
        (HASHES[65], None)
    ]


def test_suspects_with_equal_pixels_are_one_face_to_decide_on() -> None:
    both = pd.concat([SUSPECTS, SUSPECTS.iloc[[0]].assign(path=MANIFEST["path"][50], rank=99)])
    faces = queued_faces(both, MANIFEST, neighbors_of(both, MANIFEST))
    assert len(faces) == len(SUSPECTS)
    assert faces[0]["path"] == MANIFEST["path"][0]


def test_an_empty_queue_has_no_face() -> None:
    assert queued_faces(SUSPECTS.head(0), MANIFEST, NEIGHBORS.head(0)) == []


@pytest.mark.parametrize(
    ("suspects", "neighbors", "message"),
    [
        (SUSPECTS, NEIGHBORS.head(3), r"holds .*/000003\.jpg, which neighbors\.parquet lacks"),
        (
            SUSPECTS.assign(path="gone.jpg"),
            NEIGHBORS.assign(path="gone.jpg"),
            r"holds gone\.jpg, which the manifest lacks: `dvc repro` ranks the labels again",
        ),
        (
            SUSPECTS,
            NEIGHBORS.assign(neighbors=[["gone.jpg"]] * len(NEIGHBORS)),
            r"holds gone\.jpg, which the manifest lacks",
        ),
    ],
)
def test_a_queue_of_other_faces_is_refused(suspects, neighbors, message: str) -> None:
    with pytest.raises(UserError, match=message):
        queued_faces(suspects, MANIFEST, neighbors)


def test_a_decision_is_in_the_file_before_it_is_acknowledged(
    workspace: Path, review: Review
) -> None:
    decided = review.decide(HASHES[:1], "happy", annotator=" ann ")
    line = (workspace / RELABELS).read_text().splitlines()[-1]
    told = {"decision": "happy", "annotator": "ann", "decided_at": line.split(",")[4]}
    assert decided == {HASHES[0]: told}
    assert line.startswith(f"{HASHES[0]},angry,happy,ann,20")
    assert review_app_on(workspace).decided() == decided


def test_one_key_decides_on_many_faces_each_with_its_own_label(
    workspace: Path, review: Review
) -> None:
    review.decide(HASHES[:3], "keep", annotator="ann")
    lines = (workspace / RELABELS).read_text().splitlines()[1:]
    assert [line.split(",")[1:4] for line in lines] == [
        [label, "keep", "ann"] for label in EXPRESSIONS
    ]


def test_two_review_apps_see_each_other_s_decisions_and_lose_none(workspace: Path) -> None:
    one, other = review_app_on(workspace), review_app_on(workspace)
    one.decide(HASHES[:1], "happy", annotator="ann")
    assert HASHES[0] in other.decided()
    decided = other.decide(HASHES[:2], "drop", annotator="bob")
    assert [(one["decision"], one["annotator"]) for one in decided.values()] == [
        ("drop", "bob"),
        ("drop", "bob"),
    ]
    assert len((workspace / RELABELS).read_text().splitlines()) == 4


def test_undo_brings_the_face_back_by_a_further_line(workspace: Path, review: Review) -> None:
    review.decide(HASHES[:2], "sad", annotator="ann")
    assert list(review.undo(HASHES[:1], annotator="ann")) == HASHES[1:2]
    assert len((workspace / RELABELS).read_text().splitlines()) == 4
    assert standing(workspace) == {HASHES[1]: "sad"}


def test_undo_takes_back_the_annotator_s_own_decisions_alone(
    workspace: Path, review: Review
) -> None:
    review.decide(HASHES[:2], "sad", annotator="ann")
    review.decide(HASHES[1:2], "happy", annotator="bob")
    before = (workspace / RELABELS).read_bytes()
    with pytest.raises(UserError, match="bob has decided on this face since: only bob can"):
        review.undo(HASHES[:2], annotator="ann")
    with pytest.raises(UserError, match="nothing to take back"):
        review.undo(HASHES[5:6], annotator="ann")
    assert (workspace / RELABELS).read_bytes() == before
    review.undo(HASHES[1:2], annotator="bob")
    assert standing(workspace) == {HASHES[0]: "sad", HASHES[1]: "sad"}


def test_decisions_on_faces_that_left_the_queue_do_not_count(
    workspace: Path, review: Review
) -> None:
    faces = queued_faces(SUSPECTS.tail(5), MANIFEST, NEIGHBORS)
    review.decide(HASHES[:1], "sad", annotator="ann")
    later = Review(faces, workspace / RELABELS, expressions=EXPRESSIONS)
    assert later.decided() == {}


@pytest.mark.parametrize(
    ("faces", "decision", "annotator", "message"),
    [
        (HASHES[:2], "glad", "ann", "got the decision 'glad', expected one of angry, happy, sad"),
        (HASHES[:2], "undo", "ann", "got the decision 'undo', which takes one back"),
        (HASHES[:2], "sad", " ", "who decides"),
        (HASHES[:2], "sad", "=1+1", "the annotator '=1.1' would be a formula"),
        ([], "sad", "ann", "got no face"),
        (
            [HASHES[0], HASHES[45]],
            "sad",
            "ann",
            f"the queue has no face {HASHES[45][:12]}: .*reload",
        ),
    ],
)
def test_a_wrong_decision_writes_nothing(
    workspace: Path, review: Review, faces, decision: str, annotator: str, message: str
) -> None:
    before = (workspace / RELABELS).read_bytes()
    with pytest.raises(UserError, match=message):
        review.decide(faces, decision, annotator=annotator)
    assert (workspace / RELABELS).read_bytes() == before


def test_a_broken_file_is_told_before_anybody_looks_at_a_face(workspace: Path) -> None:
    with (workspace / RELABELS).open("a") as file:
        file.write("12,angry,sad,ann,2026-01-31T10:00:00Z,\n")
    with pytest.raises(UserError, match=r"relabels\.csv, line 2: got the pixel hash '12'"):
        review_app_on(workspace)
