"""A recorded annotator answers by the key of planted errors, or by clear votes."""

from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from fer_data.core.errors import UserError
from flows.simulation.recorded_annotator import annotator_of, by_key, by_votes
from tests.support.flows.small_workspace import make

FACES = pd.DataFrame(
    {"path": ["a", "b", "c", "d"], "pixel_hash": ["1", "2", "1", "3"], "label": "sad"}
)
START = datetime(2026, 1, 31, 10, tzinfo=UTC)


def said(annotator, number: int = 9) -> list[tuple[str, str, str]]:
    decisions = annotator.decide(FACES, number, start=START)
    return [(one.pixel_hash, one.decision, one.decided_at[-4:]) for one in decisions]


def test_the_key_says_what_is_wrong_and_all_else_is_right() -> None:
    planted = pd.DataFrame({"path": ["a", "d", "gone"], "true_label": ["happy", None, "fear"]})
    assert said(by_key(planted, FACES)) == [
        ("1", "happy", ":00Z"),  # c has the same pixels
        ("2", "keep", ":03Z"),
        ("3", "drop", ":06Z"),
    ]
    assert said(by_key(planted, FACES), 1) == [("1", "happy", ":00Z")]


def test_only_clear_votes_for_a_class_or_for_no_face_are_answers() -> None:
    clear = {"1": "sad", "2": "contempt", "3": "drop"}
    annotator = by_votes(clear, FACES, expressions=("sad", "happy"))
    assert said(annotator) == [("1", "keep", ":00Z"), ("3", "drop", ":03Z")]


def test_votes_are_read_as_they_are_imported(tmp_path: Path) -> None:
    manifest = make(tmp_path)
    paths = manifest["path"]
    votes = tmp_path / "votes.csv"
    votes.write_text(f"path,happiness,sadness\n{paths[0]},1,9\n{paths[1]},5,5\n")
    annotator = annotator_of(tmp_path, key=None, votes=votes, min_agreement=0.6)
    assert dict(annotator.truth) == {paths[0]: "sad"}


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("path,error\nx,y\n", "is no key of planted errors: it lacks the column true_label"),
        ("path,true_label\nx,sad\n", "names no face of this workspace"),
        ("path,true_label\nx,joy\n", "got the true_label 'joy' of x, expected one of "),
        (
            "path;true_label\nx;sad\n",
            "lacks the column path, and has path;true_label; expected what",
        ),
        ("", r"key\.csv is no CSV in UTF-8: expected what `ferflow sample` wrote"),
        (None, r"there is no file .*key\.csv: expected what `ferflow sample` wrote"),
    ],
)
def test_a_key_of_something_else_is_one_line(tmp_path: Path, key: str | None, message: str) -> None:
    make(tmp_path)
    file = tmp_path / "key.csv"
    if key is not None:
        file.write_text(key)
    with pytest.raises(UserError, match=message):
        annotator_of(tmp_path, key=file, votes=None, min_agreement=None)


def test_one_file_says_who_decides_and_votes_alone_have_an_agreement(tmp_path: Path) -> None:
    make(tmp_path)
    file = tmp_path / "file.csv"
    for key, votes in ((None, None), (file, file)):
        with pytest.raises(UserError, match="who decides"):
            annotator_of(tmp_path, key=key, votes=votes, min_agreement=None)
    with pytest.raises(UserError, match="--min-agreement is of votes"):
        annotator_of(tmp_path, key=file, votes=None, min_agreement=0.7)


def test_votes_that_are_none_are_refused(tmp_path: Path) -> None:
    paths = make(tmp_path)["path"]
    votes = tmp_path / "votes.csv"
    votes.write_text(f"path,happiness,sadness\n{paths[0]},1,9\n{paths[1]},8.0,2\n")
    with pytest.raises(UserError, match=r"1 of 2 rows .*, the first in line 3: got '8\.0' votes"):
        annotator_of(tmp_path, key=None, votes=votes, min_agreement=None)
