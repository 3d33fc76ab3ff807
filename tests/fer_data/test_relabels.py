from pathlib import Path

import pytest

from fer_data.relabels import read_relabels
from fer_data.stage import UserError

HEADER = "pixel_hash,given_label,decision,annotator,decided_at,note\n"
HASH = "ab" * 32
EXPRESSIONS = ("happy", "sad")


def read(tmp_path: Path, data: bytes):
    file = tmp_path / "relabels.csv"
    file.write_bytes(data)
    return read_relabels(file, expressions=EXPRESSIONS)


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
