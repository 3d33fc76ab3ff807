"""Votes are read from a CSV of counts, joined with the archive's faces, and decide by clear majority."""

from pathlib import Path

import pandas as pd
import pytest

from fer_data.core.errors import UserError
from fer_data.core.schema import DECISION_COLUMNS
from fer_data.decision_import.vote_majorities import (
    Majorities,
    check_agreement,
    find_majorities,
    in_words,
    undecided_yet,
)
from fer_data.decision_import.vote_rows import VoteFile, read_votes

EXPRESSIONS = ("angry", "happy", "sad")
FER_PLUS = (
    "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF\n"
)

# Faces as `ferflow add` names those of fer2013.csv, whose second row was left out; d has two labels.
MANIFEST = pd.DataFrame(
    {
        "path": [
            "Testing/happy/PublicTest_000006.png",
            "Training/angry/Training_000001.png",
            "Training/happy/Training_000003.png",
            "Training/happy/Training_000004.png",
            "Training/sad/Training_000005.png",
            "Training/sad/Training_000007.png",
        ],
        "pixel_hash": [letter * 64 for letter in "eabddc"],
        "original_split": ["testing"] + ["training"] * 5,
        "label": ["happy", "angry", "happy", "happy", "sad", "sad"],
    }
)


def read(tmp_path: Path, content: str) -> VoteFile:
    file = tmp_path / "votes.csv"
    file.write_text(content, encoding="utf-8")
    return read_votes(file, expressions=EXPRESSIONS)


def majorities(tmp_path: Path, content: str, *, min_agreement: float = 0.6) -> Majorities:
    return find_majorities(
        read(tmp_path, content).rows,
        MANIFEST,
        min_agreement=min_agreement,
        expressions=EXPRESSIONS,
        annotator="votes: votes.csv",
    )


def decided(votes: Majorities) -> list[tuple[str, str, str, str]]:
    decisions = [entry.decision for entry in votes.entries]
    return [(one.pixel_hash[0], one.given_label, one.decision, one.note) for one in decisions]


def test_votes_of_fer_plus_are_joined_by_row_and_usage(tmp_path: Path) -> None:
    """Its names of images count otherwise than its rows, and are missing where there is no face."""
    votes = majorities(
        tmp_path,
        FER_PLUS
        + "Training,fer0000000.png,0,0,0,1,8,0,0,0,1,0\n"  # a: angry, as given
        + "Training,,0,0,0,0,0,0,0,0,0,10\n"  # not in this archive
        + "Training,,0,0,0,0,0,0,0,0,0,10\n"  # b: no face
        + "Training,fer0000001.png,0,2,0,8,0,0,0,0,0,0\n"  # d, as happy
        + "Training,fer0000002.png,0,6,0,4,0,0,0,0,0,0\n"  # d, as sad: 12 of 20 say so
        + "PublicTest,fer0000003.png,0,1,0,9,0,0,0,0,0,0\n"  # e, of Testing
        + "PrivateTest,fer0000004.png,0,9,0,0,1,0,0,0,0,0\n",  # row 7 is another split's here
    )
    assert decided(votes) == [
        ("a", "angry", "keep", "8 of 10"),
        ("b", "happy", "drop", "10 of 10"),
        ("d", "sad", "keep", "12 of 20"),
    ]
    assert (votes.num_matched, votes.num_elsewhere) == (5, 2)
    assert votes.entries[0].decision.annotator == "votes: votes.csv"


def test_votes_on_testing_never_become_decisions(tmp_path: Path) -> None:
    votes = majorities(tmp_path, f"pixel_hash,happy,sad\n{'e' * 64},0,9\n{'c' * 64},0,9\n")
    assert decided(votes) == [("c", "sad", "keep", "9 of 9")]
    assert (votes.num_testing, votes.testing) == (1, {"e" * 64: "sad"})


def test_a_copy_of_a_face_of_testing_is_one_of_testing(tmp_path: Path) -> None:
    copies = MANIFEST.assign(pixel_hash=MANIFEST["pixel_hash"].replace("c" * 64, "e" * 64))
    rows = read(tmp_path, "file_name,happy,sad\nTraining_000007.png,0,9\n").rows
    votes = find_majorities(
        rows, copies, min_agreement=0.6, expressions=EXPRESSIONS, annotator="votes"
    )
    assert (votes.entries, votes.num_testing) == ([], 1)


@pytest.mark.parametrize(
    ("counts", "reason"),
    [
        ("5,4,0,0", "below 0.6"),
        ("0,0,0,0", "below 0.6"),
        ("0,0,9,0", "for unknown"),
        ("0,0,0,9", "for contempt (no class here)"),
    ],
)
def test_what_votes_leave_open_is_counted_by_reason(
    tmp_path: Path, counts: str, reason: str
) -> None:
    path = MANIFEST["path"][1]
    votes = majorities(tmp_path, f"path,happy,sad,unknown,contempt\n{path},{counts}\n")
    assert (votes.entries, dict(votes.undecided)) == ([], {reason: 1})
    assert f"1 stay undecided: 1 {reason}" in list(in_words(votes, {}))


@pytest.mark.parametrize(("agreement", "number"), [(0.7, 1), (0.71, 0)])
def test_the_agreement_itself_suffices(tmp_path: Path, agreement: float, number: int) -> None:
    content = f"path,happy,sad,unknown\n{MANIFEST['path'][1]},7,2,1\n"
    votes = majorities(tmp_path, content, min_agreement=agreement)
    assert decided(votes) == [("a", "angry", "happy", "7 of 10")][:number]


def test_faces_that_are_decided_keep_their_decision(tmp_path: Path) -> None:
    """Of a retired class is none, since it does not apply."""
    header = "pixel_hash,angry,happy\n"
    votes = majorities(tmp_path, header + "".join(f"{one * 64},9,1\n" for one in "abcd"))
    log = [
        ["a" * 64, "angry", "angry", "ann", "2026-01-31T10:00:00Z", ""],
        ["b" * 64, "happy", "keep", "ann", "", ""],
        ["c" * 64, "sad", "disgust", "ann", "", ""],
    ]
    made = pd.DataFrame(log, columns=list(DECISION_COLUMNS), dtype=str)
    left, stand = undecided_yet(votes.entries, made, ["disgust"])
    assert [entry.decision.pixel_hash[0] for entry in left] == ["c", "d"]
    assert stand == {"a" * 64: True, "b" * 64: False}


def test_classes_are_known_by_their_other_names(tmp_path: Path) -> None:
    file = tmp_path / "votes.csv"
    file.write_text("File Name,ANGRY,Happiness,not a face\nx.png,1,,3\n", encoding="utf-8")
    row = read_votes(file, expressions=("anger", "happy")).rows[0]
    assert row.keys == ("x.png",)
    assert row.counts == {"anger": 1, "happy": 0, "drop": 3}


def test_lines_without_counts_are_refused(tmp_path: Path) -> None:
    votes = read(
        tmp_path, f"path,happy,sad\na,1,0\nb,-1,0\nc,0.8,0.2\nd,1\n\ne,1,2\nf,1{'0' * 5000},0\n"
    )
    assert [row.number for row in votes.rows] == [2, 7]
    assert {one.number: one.reason for one in votes.refusals} == {
        3: "got '-1' votes for happy, expected a whole number of up to 9 digits",
        4: "got '0.8' votes for happy, expected a whole number of up to 9 digits",
        5: "got 2 fields, expected 3",
        8: f"got '1{'0' * 39}' votes for happy, expected a whole number of up to 9 digits",
    }


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is no CSV: it is empty"),
        (
            "happy,sad\n1,2\n",
            r"no column that names the image \(its columns: happy, sad\): expected",
        ),
        (
            "path,happy,glee\na,1,2\n",
            "a column 'glee', which is no class: rename it to one of angry",
        ),
        ("path,anger,angry\na,1,2\n", "two columns of votes for angry: take one of them out"),
        (
            "path,fear,NF\na,1,2\n",
            r"votes for no class of this workspace \(its columns: path, fear, NF\)",
        ),
        ("path;happy\na;1\n", "semicolons between its columns"),
        (
            "path,happy,sad\nother.png,1,2\n",
            "none of the 1 rows names a face of this archive: got 'other.png'",
        ),
        ("path,happy,sad\n", "has a header and no votes below it"),
    ],
)
def test_a_file_that_cannot_be_joined_is_refused_in_a_line(
    tmp_path: Path, content: str, message: str
) -> None:
    with pytest.raises(UserError, match=message) as error:
        majorities(tmp_path, content)
    assert "\n" not in str(error.value)


def test_a_name_that_several_faces_have_names_none(tmp_path: Path) -> None:
    paths = ["Training/happy/1.png", "Training/sad/1.png", *MANIFEST["path"][2:]]
    rows = read(tmp_path, f"name,happy,sad\n1.png,9,0\n{'Training_000007.png'},0,9\n").rows
    votes = find_majorities(
        rows,
        MANIFEST.assign(path=paths),
        min_agreement=0.6,
        expressions=EXPRESSIONS,
        annotator="votes",
    )
    assert (votes.num_matched, votes.num_elsewhere) == (1, 1)


@pytest.mark.parametrize("agreement", [0.5, 0, 1.01, float("nan")])
def test_an_agreement_that_makes_no_majority_is_refused(agreement: float) -> None:
    with pytest.raises(UserError, match=r"expected more than 0\.5, so that one class alone"):
        check_agreement(agreement)
