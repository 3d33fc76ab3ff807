"""The audit's faces among those of the queue, in the review app."""

from pathlib import Path

import pandas as pd
import pytest

from fer_data.annotation.decision_log import read_decisions
from fer_data.annotation.decision_writer import were_made_at_once
from fer_data.core.errors import UserError
from fer_data.review_app.queue_share import read_share
from fer_data.review_app.review_server import read_review
from fer_data.review_app.review_session import Review
from tests.support.servers.review_app import (
    EXPRESSIONS,
    NEAR_DUPLICATES,
    RELABELS,
    archive,
    make_workspace,
)

HASHES = list(archive()[0]["pixel_hash"])
NUM_SUSPECTS, NUM_AUDIT = 20, 8


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return make_workspace(tmp_path / "w", number=NUM_SUSPECTS, num_audit=NUM_AUDIT)


def opened(workspace: Path, *, share: str | None = None) -> Review:
    return read_review(workspace, annotator="ann", share=read_share(share, overlap=None))[0]


def audit_of(workspace: Path) -> pd.DataFrame:
    return pd.read_csv(workspace / "data/review_queue/audit.csv")


def test_the_audit_s_faces_come_among_those_of_the_queue_unmarked(workspace: Path) -> None:
    faces = opened(workspace).faces
    drawn = set(audit_of(workspace)["pixel_hash"])
    places = [place for place, face in enumerate(faces) if face["pixel_hash"] in drawn]
    assert len(faces) == NUM_SUSPECTS + 5
    assert len(places) == 5
    assert places[-1] - places[0] > NUM_SUSPECTS / 2  # all along the queue
    assert len({tuple(face) for face in faces}) == 1  # the same fields
    assert [face["rank"] for face in faces] == list(range(1, len(faces) + 1))
    suspects = [face for place, face in enumerate(faces) if place not in places]
    issues = {face["issue_type"] for face in suspects}
    assert {faces[place]["issue_type"] for place in places} <= issues
    assert all(faces[place]["neighbors"] for place in places)


def test_shares_deal_the_mixed_queue_out(workspace: Path) -> None:
    drawn = set(audit_of(workspace)["pixel_hash"])
    shares = [opened(workspace, share=f"{part}/2").faces for part in (1, 2)]
    whole = {face["pixel_hash"] for face in opened(workspace).faces}
    parts = [{face["pixel_hash"] for face in faces} for faces in shares]
    assert parts[0] | parts[1] == whole
    assert all(part & drawn for part in parts)


def test_without_its_audit_a_queue_asks_for_its_stage(workspace: Path) -> None:
    (workspace / "data/review_queue/audit.csv").unlink()
    with pytest.raises(UserError, match=r"audit\.csv is missing: `dvc repro` makes it"):
        opened(workspace)


def notes(workspace: Path) -> list[str]:
    return list(read_decisions(workspace / RELABELS, expressions=EXPRESSIONS)["note"])


def test_a_key_on_many_images_is_written_down_as_such(workspace: Path) -> None:
    review = opened(workspace)
    review.decide(HASHES[:3], "sad", annotator="ann")
    review.decide(HASHES[3:4], "sad", annotator="ann")
    assert notes(workspace) == ["3 images at once"] * 3 + [""]
    log = read_decisions(workspace / RELABELS, expressions=EXPRESSIONS)
    assert list(were_made_at_once(log)) == [True] * 3 + [False]
    review.undo(HASHES[:3], annotator="ann")
    assert list(review.decided()) == HASHES[3:4]


def test_copies_of_an_image_are_one_question(tmp_path: Path) -> None:
    review = opened(make_workspace(tmp_path / "w"))
    copies = [HASHES[row] for row in NEAR_DUPLICATES[:3]]
    review.decide(copies, "sad", annotator="ann")
    assert notes(tmp_path / "w") == [""] * 3
