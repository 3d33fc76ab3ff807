import logging
from pathlib import Path

import pandas as pd
import pytest

from fer_data.relabels import apply_decisions, latest_decisions, read_decisions, read_relabels
from fer_data.stage import UserError

HEADER = "pixel_hash,given_label,decision,annotator,decided_at,note\n"
HASH = "ab" * 32
EXPRESSIONS = ("happy", "sad")


def read(tmp_path: Path, data: bytes):
    file = tmp_path / "relabels.csv"
    file.write_bytes(data)
    return read_relabels(file, expressions=EXPRESSIONS)


def test_the_last_decision_on_a_face_wins(tmp_path: Path) -> None:
    rows = (
        f"{HASH},happy,sad,ann,2026-01-01T00:00:00Z,\n{HASH},happy,keep,bob,2026-01-02T00:00:00Z,\n"
    )
    decisions = read(tmp_path, (HEADER + rows).encode())
    assert len(decisions) == 2
    assert list(latest_decisions(decisions)["decision"]) == ["keep"]


def test_no_decisions_are_none(tmp_path: Path) -> None:
    assert read(tmp_path, HEADER.encode()).empty


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            HEADER + "abc,happy,sad,ann,,\n",
            "line 2: got the pixel hash 'abc', expected 64 hex digits",
        ),
        (
            HEADER + f"{HASH},happy,keep,ann,,\n{HASH},happy,glad,ann,,\n",
            "line 3: got the decision 'glad', expected one of happy, sad, keep, drop",
        ),
        (
            "pixel_hash,decision\n",
            "has the columns pixel_hash, decision; expected pixel_hash, given",
        ),
        ("", "has the columns ; expected pixel_hash"),
        (HEADER + f"{HASH},happy,keep,ann,,one,two\n", "line 2: got 7 fields, expected 6"),
        (HEADER + f"{HASH},happy,ke", "line 2: got 3 fields, expected 6"),
        (HEADER + f'{HASH},happy,keep,ann,,"open\n', "line 2: not CSV: unexpected end of data"),
        (HEADER.replace(",", ";"), "has the columns pixel_hash;given_label;decision"),
        ('"pixel\nhash",a\n', r"has the columns 'pixel\\nhash, a'; expected pixel_hash"),
        (HEADER + f'{HASH},happy,"ke\nep",ann,,\n', r"line 3: got the decision 'ke\\nep'"),
        (HEADER + f"{HASH},happy,keep,ann,,=1+1\n", "line 2: the note '=1.1' would be a formula"),
        (HEADER + f"{HASH},@happy,keep,ann,,\n", "the given_label '@happy' would be a formula"),
        (HEADER + f'{HASH},happy,keep,ann,,"a\nb"\n', "line 3: the note holds a line break"),
        (HEADER + f"{HASH},happy,keep,a\x07,,\n", "the annotator holds .* a control character"),
        (
            HEADER + f"<<<<<<< HEAD\n{HASH},happy,keep,ann,,\n=======\n>>>>>>> other\n",
            "line 2: git left a merge conflict there: keep the lines of both sides",
        ),
        (f"<<<<<<< HEAD\n{HEADER}", "line 1: git left a merge conflict there"),
    ],
)
def test_says_which_row_is_wrong_in_one_line(tmp_path: Path, data: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as raised:
        read(tmp_path, data.encode())
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le"])
def test_utf_16_is_named(tmp_path: Path, encoding: str) -> None:
    with pytest.raises(UserError, match=r"relabels\.csv looks like UTF-16: save it in UTF-8"):
        read(tmp_path, HEADER.encode(encoding))


def test_the_mark_that_excel_puts_before_utf_8_does_no_harm(tmp_path: Path) -> None:
    rows = f"{HASH},happy,keep,Zo\u00eb,,\r\n"
    decisions = read(tmp_path, (HEADER.replace("\n", "\r\n") + rows).encode("utf-8-sig"))
    assert list(decisions["annotator"]) == ["Zo\u00eb"]


def test_another_encoding_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"is not UTF-8 \(line 2\): save it in UTF-8"):
        read(tmp_path, (HEADER + f"{HASH},happy,keep,Zoë,,\n").encode("latin-1"))


def test_a_missing_file_names_the_way_back(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is missing: `git checkout"):
        read_relabels(tmp_path / "no.csv", expressions=EXPRESSIONS)


def test_decisions_on_unknown_faces_are_counted_and_left_aside(tmp_path: Path, caplog) -> None:
    rows = f"{HASH},happy,sad,ann,,\n{'cd' * 32},happy,keep,ann,,\n"
    file = tmp_path / "relabels.csv"
    file.write_text(HEADER + rows)
    with caplog.at_level(logging.WARNING):
        faces = pd.DataFrame({"pixel_hash": [HASH]})
        decisions = read_decisions(file, faces, expressions=EXPRESSIONS)
    assert list(decisions["pixel_hash"]) == [HASH]
    assert (
        "1 of 2 decisions are on faces that the archive does not hold, such as cdcd" in caplog.text
    )
    caplog.clear()
    file.write_text(HEADER + rows.splitlines()[0])
    assert len(read_decisions(file, faces, expressions=EXPRESSIONS)) == 1
    assert not caplog.text


def faces() -> pd.DataFrame:
    """Twins with two labels (a), a leak (b), one that is kept (c), one that nobody decided on (d)."""
    return pd.DataFrame(
        {
            "pixel_hash": list("aabbcd"),
            "label": ["happy", "sad", "happy", "happy", "sad", "happy"],
            "role": ["train", "validation", "excluded", "test", "train", "train"],
        }
    )


def decided(**decisions: str) -> pd.DataFrame:
    return pd.DataFrame({"pixel_hash": list(decisions), "decision": list(decisions.values())})


def test_twins_follow_a_decision_and_test_never_does() -> None:
    applied = apply_decisions(faces(), decided(a="sad", b="sad", c="keep"))
    assert list(applied["label"]) == ["sad", "sad", "sad", "happy", "sad", "happy"]
    assert list(applied["role"]) == list(faces()["role"])
    assert list(applied["decision"].fillna("")) == ["sad", "sad", "sad", "", "keep", ""]


def test_dropped_faces_are_excluded_but_stay() -> None:
    applied = apply_decisions(faces(), decided(a="drop", b="drop"))
    assert list(applied["label"]) == list(faces()["label"])
    assert list(applied["role"]) == ["excluded", "excluded", "excluded", "test", "train", "train"]


def test_no_decision_changes_nothing() -> None:
    columns = list(faces().columns)
    pd.testing.assert_frame_equal(apply_decisions(faces(), decided())[columns], faces())
