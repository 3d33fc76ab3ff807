from dataclasses import astuple
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from fer_data.annotation.decision_log import read_decisions
from fer_data.core.errors import UserError
from fer_data.core.schema import DECISION_COLUMNS
from fer_data.decision_import.import_plan import plan_import, read_file

HEADER = "pixel_hash,given_label,decision,annotator,decided_at,note\n"
HASH = "ab" * 32
EXPRESSIONS = ("happy", "sad")
NOTHING = pd.DataFrame(columns=list(DECISION_COLUMNS), dtype=str)
FACES = pd.DataFrame({"pixel_hash": [HASH], "original_split": ["training"], "label": ["happy"]})


def read(tmp_path: Path, data: bytes):
    file = tmp_path / "relabels.csv"
    file.write_bytes(data)
    return read_decisions(file, expressions=EXPRESSIONS)


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
        (HEADER.replace(",", ";"), "has semicolons between its columns, as Excel writes them"),
        ('"pixel\nhash",a\n', 'has the columns "pixel; expected pixel_hash'),
        (HEADER + f'{HASH},happy,"ke\nep",ann,,\n', r"line 2: got the decision 'ke\\nep'"),
        (HEADER + f"{HASH},happy,keep,ann,,=1+1\n", "line 2: the note '=1.1' would be a formula"),
        (HEADER + f"{HASH},@happy,keep,ann,,\n", "the given_label '@happy' would be a formula"),
        (HEADER + f'{HASH},happy,keep,ann,,"a\nb"\n', "line 2: the note holds a line break"),
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
        read_decisions(tmp_path / "no.csv", expressions=EXPRESSIONS)


UNTIDY = {
    "a blank last line": f"{HASH},happy,sad,ann,,\n\n",
    "blank lines": f"\n  \n{HASH},happy,sad,ann,,\n",
    "lines of commas": f"{HASH},happy,sad,ann,,\n,,,,,\n,,,,,\n",
    "commas past the last column": f"{HASH},happy,sad,ann,,,,\n",
    "capitals": f"{HASH.upper()},Happy,SAD,ann,,\n",
    "spaces": f" {HASH} , happy , sad, ann ,,\n",
    "carriage returns": f"{HASH},happy,sad,ann,,\r\n\r\n",
}


@pytest.mark.parametrize("rows", UNTIDY.values(), ids=list(UNTIDY))
def test_what_editors_leave_is_read_everywhere_alike(tmp_path: Path, rows: str) -> None:
    expected = [HASH, "happy", "sad", "ann", "", ""]
    assert read(tmp_path, (HEADER + rows).encode()).to_numpy().tolist() == [expected]
    reading = read_file(tmp_path / "relabels.csv")
    assert [list(astuple(entry.decision)) for entry in reading.entries] == [expected]
    assert reading.refusals == []


@pytest.mark.parametrize(
    "row",
    [
        f'{HASH},happy,keep,ann,,"one\ntwo"\n',
        f"{HASH};happy;keep;ann;;\n",
        f"{HASH},happy,Drop it,ann,,\n",
        f'{HASH},happy,keep,ann,,"open\n',
    ],
)
def test_what_cannot_be_read_is_refused_everywhere_in_the_same_words(tmp_path, row: str) -> None:
    rows = row + f"{HASH},happy,sad,ann,,\n"
    with pytest.raises(UserError) as raised:
        read(tmp_path, (HEADER + rows).encode())
    (refusal,) = plan_import(
        *(read_file(tmp_path / "relabels.csv"), NOTHING, FACES),
        **{"expressions": EXPRESSIONS, "annotator": "ann"},
    ).refusals
    assert str(raised.value).endswith(f"line {refusal.number}: {refusal.reason}")
    assert refusal.number == 2


@pytest.mark.parametrize(("mark", "name"), [(";", "semicolons"), ("\t", "tabs")])
def test_other_marks_than_commas_are_named_with_advice(tmp_path: Path, mark, name) -> None:
    with pytest.raises(UserError, match=f"has {name} between its columns, .*: write commas"):
        read(tmp_path, (HEADER + f"{HASH},happy,keep,ann,,\n").replace(",", mark).encode())
    with pytest.raises(UserError, match=f"line 2: got 1 fields, expected 6: {name} between them"):
        read(tmp_path, (HEADER + f"{HASH},happy,keep,ann,,\n".replace(",", mark)).encode())


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (f"{HASH},,keep,ann,,\n", "line 2: 'keep' says that the given label is right: got ''"),
        (f"{HASH},happy,sad,ann,31/01/2026,\n", "line 2: got the time '31/01/2026', expected such"),
        (f"{HASH},happy,sad,ann,2999-01-01T00:00:00Z,\n", "more than a day ahead of now"),
    ],
)
def test_a_keep_of_nothing_and_a_time_that_orders_nothing_are_refused(
    tmp_path, row, message
) -> None:
    with pytest.raises(UserError, match=message):
        read(tmp_path, (HEADER + row).encode())


def test_a_clock_that_is_some_hours_ahead_is_borne(tmp_path: Path) -> None:
    ahead = (datetime.now(UTC) + timedelta(hours=20)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert len(read(tmp_path, (HEADER + f"{HASH},happy,sad,ann,{ahead},\n").encode())) == 1
