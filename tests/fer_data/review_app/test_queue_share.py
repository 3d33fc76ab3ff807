"""Several people at one queue: whose a face is, and what each of them sees of the others' decisions."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from fer_data.core.errors import UserError
from fer_data.review_app.queue_share import Share, dealt, read_share
from fer_data.review_app.queued_faces import queued_faces
from fer_data.review_app.review_session import Review
from tests.support.servers.review_app import (
    EXPRESSIONS,
    NEAR_DUPLICATES,
    RELABELS,
    archive,
    make_workspace,
    neighbors_of,
    queue,
    standing,
)

MANIFEST, _ = archive()
SUSPECTS = queue(MANIFEST)
FACES = queued_faces(SUSPECTS, MANIFEST, neighbors_of(SUSPECTS, MANIFEST))
HASHES = list(MANIFEST["pixel_hash"])


def many(number: int) -> list[dict[str, Any]]:
    """Entries of a long queue, every third face a copy of the one before."""
    hashes = [hashlib.sha256(str(place).encode()).hexdigest() for place in range(number)]

    def entry(place: int) -> dict[str, Any]:
        copies = [place - 1] if place % 3 == 2 else [place + 1] if place % 3 == 1 else []
        duplicates = [{"pixel_hash": hashes[copy]} for copy in copies if copy < number]
        return {"pixel_hash": hashes[place], "duplicates": duplicates}

    return [entry(place) for place in range(number)]


def parts_of(faces: list[dict[str, Any]], parts: int, overlap: float = 0.0) -> list[list[str]]:
    """The pixel hashes of each share."""
    shares = [dealt(faces, Share(part, parts, overlap))[0] for part in range(1, parts + 1)]
    return [[face["pixel_hash"] for face in share] for share in shares]


def test_shares_are_disjoint_and_together_the_queue_in_its_order() -> None:
    for parts in (1, 2, 3, 7):
        shares = parts_of(FACES, parts)
        everything = [face["pixel_hash"] for face in FACES]
        assert sorted(one for share in shares for one in share) == sorted(everything)
        for share in shares:
            assert share == [pixel_hash for pixel_hash in everything if pixel_hash in share]


def test_a_face_stays_with_its_person_as_the_queue_is_decided() -> None:
    faces = many(300)
    left = faces[1::2]
    now = {face["pixel_hash"] for face in left}
    before = parts_of(faces, 3, 0.1)
    assert [[one for one in share if one in now] for share in before] == parts_of(left, 3, 0.1)


def test_copies_of_an_image_go_to_one_person() -> None:
    near = {HASHES[row] for row in NEAR_DUPLICATES[:3]}
    for shares in (parts_of(FACES, 7), parts_of(many(900), 3)):
        hit = [share for share in shares if near & set(share)]
        assert not hit or (len(hit) == 1 and near <= set(hit[0]))
    for share in parts_of(many(900), 3):
        hashes = [face["pixel_hash"] for face in many(900)]
        assert [hashes[place] in share for place in range(1, 900, 3)] == [
            hashes[place] in share for place in range(2, 900, 3)
        ]


def test_every_share_gets_its_part_of_every_stretch_of_the_queue() -> None:
    faces = many(3000)
    stretches = [
        {face["pixel_hash"] for face in faces[at : at + 600]} for at in range(0, 3000, 600)
    ]
    for share in parts_of(faces, 3):
        counts = [len(stretch & set(share)) for stretch in stretches]
        # 200 expected of 400 independent groups: 3.5 standard deviations are 45.
        assert all(155 < count < 245 for count in counts), counts


@pytest.mark.parametrize("overlap", [0.0, 0.1, 0.5, 1.0])
def test_everybody_sees_the_overlap_and_all_see_the_same(overlap: float) -> None:
    faces = many(3000)
    common = {dealt(faces, Share(part, 3, overlap))[1] for part in (1, 2, 3)}
    assert len(common) == 1
    assert len(common.pop()) == pytest.approx(overlap * 3000, abs=100)
    one, two, three = map(set, parts_of(faces, 3, overlap))
    assert one & two == two & three == dealt(faces, Share(1, 3, overlap))[1]
    assert len(one | two | three) == 3000
    # A wider overlap holds the narrower one, so that two people who differ still share a part.
    assert dealt(faces, Share(1, 3, overlap / 2))[1] <= one & two


def test_what_is_typed_is_read() -> None:
    assert read_share("1/3") == Share(1, 3, 0.1)
    assert read_share("3/3", overlap=0) == Share(3, 3, 0)
    assert read_share(None) is None


@pytest.mark.parametrize("text", ["4/3", "0/3", "a/b", "", "1", "1/0", "-1/3", "1/3/5", "1.5/3"])
def test_a_share_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UserError, match=r"--share: got '.*', expected .* from 1/3 to 3/3"):
        read_share(text)


@pytest.mark.parametrize(
    ("share", "overlap", "message"),
    [
        ("1/3", 1.5, "--overlap: got 1.5, expected a fraction from 0 to 1"),
        ("1/3", float("nan"), "--overlap: got nan"),
        (None, 0.2, "--overlap is for a share of the queue: add such as `--share 1/3`"),
    ],
)
def test_a_wrong_overlap_is_refused(share: str | None, overlap: float, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_share(share, overlap=overlap)


def sit_down(workspace: Path, annotator: str, share: str, overlap: float = 0.0) -> Review:
    return Review(
        FACES,
        workspace / RELABELS,
        expressions=EXPRESSIONS,
        annotator=annotator,
        share=read_share(share, overlap=overlap),
    )


def test_a_share_decides_on_its_own_faces_alone(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path)
    ann, bob = sit_down(workspace, "ann", "1/2"), sit_down(workspace, "bob", "2/2")
    assert ann.in_words() == f"Share 1/2: {len(ann.faces)} of the 40 faces of the queue."
    mine, other = ann.faces[0]["pixel_hash"], bob.faces[0]["pixel_hash"]
    with pytest.raises(UserError, match="the queue has no face"):
        ann.decide([mine, other], "sad", annotator="ann")
    assert standing(workspace) == {}
    bob.decide([other], "sad", annotator="bob")
    assert ann.decided() == {}


def test_a_face_for_everybody_waits_for_each_and_tells_nothing_of_the_others(
    tmp_path: Path,
) -> None:
    workspace = make_workspace(tmp_path)
    ann, bob = sit_down(workspace, "ann", "1/2", 1.0), sit_down(workspace, "bob", "2/2", 1.0)
    assert bob.in_words() == "Share 2/2: 40 of the 40 faces of the queue, 40 of them for everybody."
    ann.decide(HASHES[:2], "sad", annotator="ann")
    assert bob.decided() == {}
    decided = bob.decide(HASHES[:1], "drop", annotator="bob")
    assert [(one["decision"], one["annotator"]) for one in decided.values()] == [("drop", "bob")]
    assert list(ann.decided()) == HASHES[:2]
    assert standing(workspace)[HASHES[0]] == "drop"
    # Each takes the own decision back, whoever decided later.
    assert list(ann.undo(HASHES[:1], annotator="ann")) == HASHES[1:2]
    assert list(bob.decided()) == HASHES[:1]
    with pytest.raises(UserError, match="nothing to take back"):
        ann.undo(HASHES[:1], annotator="ann")


def test_without_a_share_a_decided_face_waits_for_nobody(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path)
    sit_down(workspace, "ann", "1/2", 1.0).decide(HASHES[:1], "sad", annotator="ann")
    whole = Review(FACES, workspace / RELABELS, expressions=EXPRESSIONS, annotator="bob")
    assert list(whole.decided()) == HASHES[:1]
    assert whole.in_words() == ""


def test_an_own_decision_on_a_retired_expression_waits_again(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path)
    sit_down(workspace, "ann", "1/2", 1.0).decide(HASHES[:1], "happy", annotator="ann")
    later = Review(
        FACES,
        workspace / RELABELS,
        expressions=("angry", "sad"),
        retired=("happy",),
        annotator="ann",
        share=Share(1, 2, 1.0),
    )
    assert later.decided() == {}


def test_a_share_of_nobody_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"--share 1/2: whose\? Got no `--annotator`, and git"):
        sit_down(make_workspace(tmp_path), "", "1/2")
