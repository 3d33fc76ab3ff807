from pathlib import Path

import pytest

from fer_data.relabels import latest_decisions, read_relabels
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
    ],
)
def test_says_which_row_is_wrong(tmp_path: Path, data: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read(tmp_path, data.encode())


def test_another_encoding_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not UTF-8: save it as CSV in UTF-8"):
        read(tmp_path, (HEADER + f"{HASH},happy,keep,Zoë,,\n").encode("latin-1"))


def test_a_missing_file_names_the_way_back(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is missing: `git checkout"):
        read_relabels(tmp_path / "no.csv", expressions=EXPRESSIONS)
