from pathlib import Path

import pandas as pd
import pytest

from fer_data.core.errors import UserError
from fer_data.core.schema import DECISION_COLUMNS
from fer_data.decision_import.import_plan import Plan, plan_import, read_file
from fer_data.decision_import.import_rows import Reading

HEADER = ",".join(DECISION_COLUMNS) + "\n"
EXPRESSIONS = ("happy", "sad")
NOON = "2026-01-31T12:00:00Z"

# Faces a to d in Training (b under two labels, d also in Testing), e in Testing alone.
MANIFEST = pd.DataFrame(
    {
        "pixel_hash": [letter * 64 for letter in "abbcdde"],
        "original_split": ["training"] * 5 + ["testing"] * 2,
        "label": ["happy", "happy", "sad", "sad", "sad", "sad", "happy"],
    }
)


def row(
    face: str, decision: str, *, given: str = "", by: str = "ann", at: str = NOON, note: str = ""
) -> str:
    known = dict(zip(MANIFEST["pixel_hash"], MANIFEST["label"], strict=True))
    given = given or known.get(face * 64, "happy")
    return f"{face * 64},{given},{decision},{by},{at},{note}\n"


def read(tmp_path: Path, content: str | bytes) -> Reading:
    file = tmp_path / "incoming.csv"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_file(file)


def plan(
    tmp_path: Path, *rows: str, standing: tuple[str, ...] = (), annotator: str | None = None
) -> Plan:
    fields = [line.strip().split(",") for line in standing]
    made = pd.DataFrame(fields, columns=list(DECISION_COLUMNS), dtype=str)
    reading = read(tmp_path, HEADER + "".join(rows))
    return plan_import(reading, made, MANIFEST, expressions=EXPRESSIONS, annotator=annotator)


def made(plan: Plan) -> list[tuple[str, str]]:
    return [(one.pixel_hash[0], one.decision) for one in plan.decisions]


def reasons(plan: Plan) -> dict[int, str]:
    return {one.number: one.reason for one in plan.refusals}


def test_good_rows_are_taken_as_they_are(tmp_path: Path) -> None:
    result = plan(tmp_path, row("a", "sad", note="said oh"), row("c", "keep"), row("d", "drop"))
    assert made(result) == [("a", "sad"), ("c", "keep"), ("d", "drop")]
    assert result.decisions[0].note == "said oh"
    assert result.refusals == []


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (row("f", "sad"), "the archive holds no face ffffffffffff: was it another archive's?"),
        (row("e", "sad"), "is in Testing alone, whose labels are never changed"),
        (row("a", "glad"), "got the decision 'glad', expected one of happy, sad, keep, drop, undo"),
        (row("a", "s a d"), "got the decision 's a d'"),
        (row("a", "sad", at="2999-01-01T00:00:00Z"), "is more than a day ahead of now"),
        ("abc,happy,sad,ann,,\n", "got the pixel hash 'abc', expected 64 hex digits"),
        (row("a", "sad", given="sad"), "got the given label 'sad', the archive says happy"),
        (
            row("b", "sad", given="glad"),
            "got the given label 'glad', the archive says happy or sad",
        ),
        (row("a", "sad", note="=1+1"), "the note '=1+1' would be a formula in a spreadsheet"),
        (row("a", "sad", by="@SUM(A1)"), "the annotator '@SUM(A1)' would be a formula"),
        (row("a", "sad", at="-1"), "the decided_at '-1' would be a formula"),
        (
            row("a", "sad", at="31/01/2026"),
            "got the time '31/01/2026', expected such as 2026-01-31T",
        ),
        (row("a", "sad", at="0001-01-01"), "got the time"),
        (row("a", "sad", by=""), "no annotator is named: name who decided with --annotator"),
        (
            row("a", "undo"),
            "undo takes back a decision of its annotator in the same file, and there is none",
        ),
        (row("a", "sad").strip() + ",more\n", "got 7 fields, expected 6"),
        ("a" * 64 + ",happy,sa", "got 3 fields, expected 6"),
        (row("a", "sad", note='"open'), "not CSV: unexpected end of data"),
        (row("a", "sad", note="a\x07"), "the note holds a line break or a control character"),
        (row("a", "sad", note="a\u2028b"), "the note holds a line break or a control character"),
        ("<<<<<<< HEAD\n", "git left a merge conflict there"),
    ],
)
def test_a_bad_row_is_refused_for_its_reason_and_no_other_is(tmp_path, line, reason) -> None:
    result = plan(tmp_path, row("c", "happy"), line.rstrip("\n") + "\n", row("d", "keep"))
    assert list(reasons(result)) == [3]
    assert reason in reasons(result)[3]
    assert "\n" not in reasons(result)[3]
    assert made(result) == [("c", "happy"), ("d", "keep")]


def test_a_note_over_two_lines_breaks_its_own_row_alone(tmp_path: Path) -> None:
    result = plan(tmp_path, row("a", "sad", note='"one\ntwo"'), row("c", "happy"))
    assert reasons(result) == {
        2: "the note holds a line break or a control character: write it on one line"
    }
    assert made(result) == [("c", "happy")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (HEADER.encode("utf-16"), r"incoming\.csv looks like UTF-16: save it in UTF-8"),
        ((HEADER + row("a", "sad", by="Zo\u00eb")).encode("latin-1"), r"is not UTF-8 \(line 2\)"),
        (HEADER.replace(",", ";").encode(), "has semicolons between its columns, as Excel writes"),
        (b"path,label\n", "has the columns path, label; expected pixel_hash, given_label"),
        (b"", "has the columns ; expected pixel_hash"),
        (b"\x89PNG\r\n\x1a\n", "is not UTF-8 .line 1.: save it in UTF-8"),
    ],
)
def test_a_file_of_another_kind_is_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(UserError, match=message) as raised:
        read(tmp_path, content)
    assert "\n" not in str(raised.value)


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no\.csv cannot be read: No such file"):
        read_file(tmp_path / "no.csv")
    with pytest.raises(UserError, match="cannot be read: Is a directory"):
        read_file(tmp_path)


def test_what_excel_writes_is_read(tmp_path: Path) -> None:
    content = (HEADER + row("a", "sad") + row("c", "keep")).replace("\n", "\r\n")
    reading = read(tmp_path, content.encode("utf-8-sig"))
    assert [entry.number for entry in reading.entries] == [2, 3]
    assert reading.refusals == []


def test_what_a_row_may_leave_out_is_filled_in(tmp_path: Path) -> None:
    result = plan(
        tmp_path, row("a", "sad", by="", at=""), row("c", "keep", by="bob"), annotator="ann"
    )
    bob, ann = result.decisions  # what has no time is decided now
    assert [(one.pixel_hash[0], one.annotator) for one in (ann, bob)] == [
        ("a", "ann"),
        ("c", "bob"),
    ]
    assert ann.decided_at.endswith("Z")


def test_times_are_brought_to_utc(tmp_path: Path) -> None:
    result = plan(tmp_path, row("a", "sad", at="2026-01-31T13:30:00.25+01:00"))
    assert result.decisions[0].decided_at == "2026-01-31T12:30:00Z"


def test_a_history_counts_by_its_end(tmp_path: Path) -> None:
    rows = (
        *(row("a", "sad"), row("a", "keep"), row("a", "undo")),
        *(row("c", "happy"), row("c", "undo")),
        *(row("d", "happy"), row("d", "drop")),
    )
    result = plan(tmp_path, *rows)
    assert made(result) == [("a", "sad"), ("d", "drop")]
    assert result.num_replaced == 5
    assert result.refusals == []


def test_the_same_file_twice_adds_nothing(tmp_path: Path) -> None:
    rows = (row("a", "sad"), row("a", "keep"), row("c", "happy"))
    first = plan(tmp_path, *rows)
    again = plan(tmp_path, *rows, standing=rows)
    assert len(first.decisions) == 2
    assert again.decisions == []
    assert again.refusals == []
    assert again.num_standing == 2


def test_only_a_later_decision_replaces_one_that_stands(tmp_path: Path) -> None:
    standing = (row("a", "sad", by="bob"), row("c", "happy", by="bob"))
    later = row("a", "keep", at="2026-02-01T00:00:00Z")
    result = plan(tmp_path, later, row("c", "keep"), standing=standing)
    assert made(result) == [("a", "keep")]
    assert result.changes == [f"{'a' * 12}: ann decides 'keep' where bob decided 'sad' at {NOON}"]
    assert f"no later than what stands (bob decided 'happy' at {NOON})" in reasons(result)[3]


def test_a_decision_of_unknown_time_is_replaced_and_named(tmp_path: Path) -> None:
    result = plan(tmp_path, row("a", "keep"), standing=(row("a", "sad", at="yesterday"),))
    assert made(result) == [("a", "keep")]
    assert len(result.changes) == 1


@pytest.mark.parametrize(
    ("first", "second"),
    [(("happy", "keep"), ("sad", "happy")), (("sad", "happy"), ("happy", "keep"))],
)
def test_a_kept_label_and_the_same_label_on_another_copy_agree(tmp_path, first, second) -> None:
    made_before = row("b", first[1], given=first[0], by="bob")
    later = row("b", second[1], given=second[0], at="2026-02-01T00:00:00Z")
    result = plan(tmp_path, later, standing=(made_before,))
    assert (made(result), result.changes, result.num_standing) == ([], [], 1)
    other = row("b", "keep", given="sad", at="2026-02-01T00:00:00Z")
    assert made(plan(tmp_path, other, standing=(made_before,))) == [("b", "keep")]


def test_time_orders_the_rows_of_a_file_and_undo_takes_back_its_own(tmp_path: Path) -> None:
    later = {"at": "2026-02-01T00:00:00Z"}
    assert made(plan(tmp_path, row("a", "sad", **later), row("a", "drop"))) == [("a", "sad")]
    rows = (row("a", "sad"), row("a", "drop", by="bob"), row("a", "undo", **later))
    assert made(plan(tmp_path, *rows)) == [("a", "drop")]


def test_a_decision_that_its_annotator_took_back_later_is_refused(tmp_path: Path) -> None:
    history = (row("a", "drop"), row("a", "undo", at="2026-02-01T00:00:00Z"))
    result = plan(tmp_path, row("a", "sad", at="2026-01-31T18:00:00Z"), standing=history)
    assert made(result) == []
    assert reasons(result) == {2: "ann took a decision on this face back since"}


def test_a_line_that_was_taken_back_here_does_not_come_again(tmp_path: Path) -> None:
    history = (row("a", "sad"), row("a", "undo", at="2026-02-01T00:00:00Z"))
    result = plan(tmp_path, row("a", "sad"), standing=history)
    assert made(result) == []
    assert reasons(result) == {2: "ann took a decision on this face back since"}


def test_what_an_earlier_import_brought_is_taken_back(tmp_path: Path) -> None:
    rows = (
        row("a", "drop"),
        row("a", "sad", at="2026-02-01T00:00:00Z"),
        row("a", "undo", at="2026-02-02T00:00:00Z"),
    )
    before = (row("a", "sad", at="2026-02-01T00:00:00Z"),)
    result = plan(tmp_path, *rows, standing=before)
    assert made(result) == [("a", "undo"), ("a", "drop")]
    assert result.changes == [f"{'a' * 12}: ann takes back 'sad' of 2026-02-01T00:00:00Z"]
    again = plan(tmp_path, *rows, standing=(*before, rows[2], rows[0]))
    assert (made(again), again.changes, again.refusals, again.num_standing) == ([], [], [], 1)


def test_what_somebody_else_decided_since_is_not_taken_back(tmp_path: Path) -> None:
    rows = (row("a", "sad"), row("a", "undo", at="2026-02-02T00:00:00Z"))
    bob = row("a", "drop", by="bob", at="2026-02-01T00:00:00Z")
    assert made(plan(tmp_path, *rows, standing=(rows[0], bob))) == []


def test_what_counts_as_earlier_than_a_line_without_a_time_is_refused_as_such(tmp_path) -> None:
    standing = (row("a", "keep"), row("a", "drop", by="bob", at=""))
    result = plan(tmp_path, row("a", "sad", at="2026-01-01T00:00:00Z"), standing=standing)
    assert (made(result), result.changes) == ([], [])
    assert "no later than what stands (bob decided 'drop' after what" in reasons(result)[2]
