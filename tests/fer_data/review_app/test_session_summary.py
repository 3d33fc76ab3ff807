from collections.abc import Iterable
from pathlib import Path

from fer_data.review_app.review_session import Review
from fer_data.review_app.session_summary import SessionSummary
from tests.support.servers.review_app import EXPRESSIONS, RELABELS, make_workspace


def session(times: Iterable[float]) -> SessionSummary:
    """A session whose events are at these seconds."""
    return SessionSummary(clock=iter(times).__next__)


def test_faces_are_counted_by_kind_and_timed() -> None:
    summary = session([0, 10, 30, 60, 90])
    summary.look()
    summary.decide({"a": "sad", "b": "happy"}, "sad")
    summary.decide({"c": "sad"}, "drop")
    summary.decide({"d": "sad"}, "keep")
    summary.skip(["e", "f"])
    assert summary.in_words(decided={"a", "b", "c", "d", "f"}) == (
        "This session: 4 faces decided (2 kept, 1 relabeled, 1 dropped) in 1.5 minutes, "
        "22.5 seconds a face; 1 skipped."
    )


def test_a_long_break_does_not_count() -> None:
    summary = session([0, 4, 4000, 4008])
    summary.look()
    summary.decide({"a": "sad"}, "keep")
    summary.decide({"b": "sad"}, "keep")
    summary.decide({"c": "sad"}, "keep")
    words = "3 faces decided (3 kept, 0 relabeled, 0 dropped) in 12 seconds, 4.0 seconds a face."
    assert summary.in_words(decided={"a", "b", "c"}) == f"This session: {words}"


def test_what_was_taken_back_was_not_decided() -> None:
    summary = session([0, 5])
    summary.decide({"a": "sad"}, "keep")
    summary.undo(["a", "of an earlier session"])
    assert summary.num_decided == 0
    assert summary.in_words(decided={}) == "This session: no face decided."


def test_the_end_says_what_is_left_and_what_to_type_in_another_folder_too(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path / "there")
    faces = [
        {"pixel_hash": letter * 64, "label": "sad", "near_group": number}
        for number, letter in enumerate("abc")
    ]
    review = Review(faces, workspace / RELABELS, expressions=EXPRESSIONS)
    assert list(review.farewell(workspace))[1:] == [
        "This session: no face decided.",
        "3 of the 3 faces of the queue wait.",
    ]
    review.decide(["a" * 64, "b" * 64], "drop", annotator="ann")
    review.undo(["b" * 64], annotator="ann")
    *_, left, then = review.farewell(workspace)
    assert left == "2 of the 3 faces of the queue wait."
    assert then == (
        f"Next in {workspace}: `git commit -m 'Decide on 1 label' data/relabels.csv`, then `dvc repro`."
    )
