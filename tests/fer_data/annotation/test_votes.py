"""Votes that a workspace keeps: read and written, merged, turned into shares and clear labels."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fer_data.annotation.votes import (
    clear_labels,
    label_shares,
    merge_votes,
    read_kept_votes,
    write_kept_votes,
)
from fer_data.core.errors import UserError

A, B, C = ("a" * 64, "b" * 64, "c" * 64)
VOTES = pd.DataFrame(
    {"happy": [7, 5, 0], "sad": [3, 5, 0], "disgust": [0, 0, 2], "unknown": [0, 0, 8]},
    index=pd.Index([A, B, C]),
)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    file = tmp_path / "votes.csv"
    write_kept_votes(VOTES.iloc[::-1], file)
    assert file.read_text().splitlines()[:2] == [
        "pixel_hash,happy,sad,disgust,unknown",
        f"{A},7,3,0,0",
    ]
    pd.testing.assert_frame_equal(read_kept_votes(file), VOTES, check_names=False)


def test_a_header_alone_is_no_votes(tmp_path: Path) -> None:
    file = tmp_path / "votes.csv"
    file.write_text("pixel_hash\n")
    votes = read_kept_votes(file)
    assert votes.empty
    assert label_shares(votes, ("happy", "sad")).empty
    assert clear_labels(votes, min_agreement=0.6).empty


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"votes\.csv is missing: a line `pixel_hash` there means"):
        read_kept_votes(tmp_path / "votes.csv")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("path,happy\n", "begins with 'path', expected pixel_hash"),
        (f"pixel_hash,happy\n{A},1\n{A},2\n", f"has {A} twice"),
        (
            f"pixel_hash,happy,happy\n{A},1,2\n",
            r"has a column 'happy\.1', expected the name of a class",
        ),
        (f"pixel_hash,Happy\n{A},1\n", "has a column 'Happy', expected the name of a class"),
        (f"pixel_hash,happy\n{A},1,2,3\n", "no whole CSV|twice|expected a pixel hash"),
        ("", "is no whole CSV in UTF-8"),
        (f"pixel_hash,happy\n{A},1.5\n", f"got '1.5' votes for happy on {A}, expected a whole"),
        (f"pixel_hash,happy\n{A},\n", f"got '' votes for happy on {A}, expected a whole number"),
        ("pixel_hash,happy\n<<<<<<< HEAD,\n", "line 2: got '<<<<<<< HEAD', expected a pixel hash"),
    ],
)
def test_what_is_not_as_it_was_written_is_one_line(
    tmp_path: Path, content: str, message: str
) -> None:
    file = tmp_path / "votes.csv"
    file.write_text(content)
    with pytest.raises(UserError, match=message) as told:
        read_kept_votes(file)
    assert "git checkout" in str(told.value)
    assert "\n" not in str(told.value)


def test_later_votes_on_a_face_take_the_place_of_earlier_ones() -> None:
    later = pd.DataFrame({"sad": [9], "angry": [1]}, index=[B])
    merged = merge_votes(VOTES, later)
    assert merged.loc[A].to_dict() == {**VOTES.loc[A].to_dict(), "angry": 0}
    assert merged.loc[B].to_dict() == {"happy": 0, "sad": 9, "disgust": 0, "unknown": 0, "angry": 1}
    assert len(merged) == 3
    pd.testing.assert_frame_equal(merge_votes(pd.DataFrame(), VOTES), VOTES)


def test_shares_are_of_the_votes_for_the_classes() -> None:
    shares = label_shares(VOTES, ("sad", "happy", "fear"))
    assert list(shares.index) == [A, B]  # c has votes for other meanings alone
    np.testing.assert_allclose(shares, [[0.3, 0.7, 0.0], [0.5, 0.5, 0.0]], rtol=1e-6)


def test_a_stray_vote_among_votes_for_no_class_gives_no_shares() -> None:
    """Nine could not tell, and one said sad: that is no face of sadness."""
    votes = pd.DataFrame({"sad": [1, 6, 5], "unknown": [9, 4, 5]}, index=pd.Index([A, B, C]))
    shares = label_shares(votes, ("sad", "happy"))
    assert list(shares.index) == [B]  # c is split in halves


def test_a_clear_majority_is_of_all_votes() -> None:
    assert clear_labels(VOTES, min_agreement=0.6).to_dict() == {A: "happy", C: "unknown"}
    assert clear_labels(VOTES, min_agreement=0.75).to_dict() == {C: "unknown"}
