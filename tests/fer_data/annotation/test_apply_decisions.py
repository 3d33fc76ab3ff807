import logging
from pathlib import Path

import pandas as pd
import pytest

from fer_data.annotation.apply_decisions import apply_decisions, decisions_on, read_accepted
from fer_data.annotation.decision_log import read_decisions
from fer_data.annotation.latest_decisions import latest_decisions
from fer_data.core.errors import UserError
from fer_data.core.schema import DECISION_COLUMNS

HEADER = "pixel_hash,given_label,decision,annotator,decided_at,note\n"
HASH = "ab" * 32
EXPRESSIONS = ("happy", "sad")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "relabels.csv"


def test_the_last_decision_on_a_face_wins_and_undo_brings_the_one_before_back(file: Path) -> None:
    rows = [f"{HASH},happy,{decision},ann,," for decision in ("sad", "keep", "undo")]
    standing = []
    for number in range(4):
        file.write_text(HEADER + "\n".join(rows[:number]))
        latest = latest_decisions(read_accepted(file, expressions=EXPRESSIONS))
        standing.append(list(latest["decision"]))
    assert standing == [[], ["sad"], ["keep"], ["sad"]]


def test_what_was_accepted_reads_as_it_did_when_it_was_checked(file: Path) -> None:
    rows = f'{HASH},happy,sad,Zo\u00eb,2026-01-31T10:00:00Z,"NA, or so"\n{HASH},,undo,,,\n'
    file.write_text(HEADER + rows, encoding="utf-8-sig")
    accepted = read_accepted(file, expressions=EXPRESSIONS)
    pd.testing.assert_frame_equal(accepted, read_decisions(file, expressions=EXPRESSIONS))
    file.write_text(HEADER)
    assert read_accepted(file, expressions=EXPRESSIONS).empty


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, "is missing: `git checkout .* brings back what was accepted"),
        (b"", "is no CSV in UTF-8: `git checkout"),
        (HEADER.encode("utf-16"), "is no CSV in UTF-8"),
        (HEADER.encode() + b'a,b,c,d,e,"f\n', "is no CSV in UTF-8"),
        (HEADER.encode() + b"a,b,c,d,e,f,g\n", "has other columns than pixel_hash, given_label"),
        (b"pixel_hash,decision\n", "has other columns than pixel_hash, given_label, decision"),
        (f"<<<<<<< HEAD\n{HEADER}".encode(), "has other columns than"),
        (HEADER.encode() + b"<<<<<<< HEAD\n", "has other columns than"),
        (f"{HEADER}{HASH},happy,glad,ann,,\n".encode(), "got the decision 'glad', expected"),
        (f"{HEADER}{HASH},Happy?,keep,ann,,\n".encode(), "got the given label 'Happy.', expected"),
    ],
)
def test_says_in_one_line_that_a_file_is_not_what_was_accepted(
    file: Path, data, message: str
) -> None:
    if data is not None:
        file.write_bytes(data)
    with pytest.raises(UserError, match=message) as raised:
        read_accepted(file, expressions=EXPRESSIONS)
    assert "\n" not in str(raised.value)


def test_decisions_on_unknown_faces_are_counted_and_left_aside(file: Path, caplog) -> None:
    rows = [(HASH, "happy", "sad", "ann", "", ""), ("cd" * 32, "happy", "keep", "ann", "", "")]
    decision_log = pd.DataFrame(rows, columns=list(DECISION_COLUMNS))
    faces = pd.DataFrame({"pixel_hash": [HASH]})
    with caplog.at_level(logging.WARNING):
        decisions = decisions_on(faces, decision_log, file=file)
    assert list(decisions["pixel_hash"]) == [HASH]
    assert (
        "1 of 2 decisions are on faces that the archive does not hold, such as cdcd" in caplog.text
    )
    caplog.clear()
    assert len(decisions_on(faces, decision_log.head(1), file=file)) == 1
    assert not caplog.text


def faces() -> pd.DataFrame:
    """Duplicates with two labels (a), a leak (b), one that is kept (c), an undecided one (d)."""
    return pd.DataFrame(
        {
            "pixel_hash": list("aabbcd"),
            "label": ["happy", "sad", "happy", "happy", "sad", "happy"],
            "split": ["train", "validation", "excluded", "test", "train", "train"],
        }
    )


def decided(*, given: str = "sad", **decisions: str) -> pd.DataFrame:
    """Decisions by face, each of a person who saw the label `given`."""
    columns = {"pixel_hash": list(decisions), "decision": list(decisions.values())}
    return pd.DataFrame({**columns, "given_label": given})


def test_duplicates_follow_a_decision_and_test_never_does() -> None:
    applied = apply_decisions(faces(), decided(a="sad", b="sad", c="keep"))
    assert list(applied["label"]) == ["sad", "sad", "sad", "happy", "sad", "happy"]
    assert list(applied["split"]) == list(faces()["split"])
    assert list(applied["decision"].fillna("")) == ["sad", "sad", "sad", "", "sad", ""]


def test_dropped_faces_are_excluded_but_stay() -> None:
    applied = apply_decisions(faces(), decided(a="drop", b="drop"))
    assert list(applied["label"]) == list(faces()["label"])
    assert list(applied["split"]) == ["excluded", "excluded", "excluded", "test", "train", "train"]


def test_no_decision_changes_nothing() -> None:
    columns = list(faces().columns)
    pd.testing.assert_frame_equal(apply_decisions(faces(), decided())[columns], faces())


def test_a_kept_label_is_that_of_all_copies() -> None:
    for given, decision in (("happy", "keep"), ("sad", "happy")):
        applied = apply_decisions(faces(), decided(given=given, a=decision))
        assert list(applied["label"][:2]) == ["happy", "happy"]


def test_a_kept_label_stays_what_the_person_saw_in_a_later_archive() -> None:
    later = faces().assign(label="sad")
    assert list(apply_decisions(later, decided(given="happy", d="keep"))["label"])[-1] == "happy"


def standing(*rows: tuple[str, str, str]) -> list[str]:
    """What stands after lines of (decision, annotator, minute or nothing) on one face."""
    lines = [
        (HASH, "happy", decision, by, f"2026-01-31T10:{minute}:00Z" if minute else "", "")
        for decision, by, minute in rows
    ]
    latest = latest_decisions(pd.DataFrame(lines, columns=list(DECISION_COLUMNS), dtype=str))
    return list(latest["decision"])


@pytest.mark.parametrize(
    ("rows", "stands"),
    [
        ([("sad", "ann", "05"), ("keep", "bob", "03")], ["sad"]),
        ([("sad", "ann", "05"), ("keep", "bob", "05")], ["keep"]),  # lines break ties
        ([("sad", "ann", "05"), ("drop", "ann", "03"), ("keep", "ann", "")], ["keep"]),
        ([("keep", "ann", ""), ("sad", "ann", "03")], ["sad"]),
        # An undo takes its own annotator's decision back, wherever it stands.
        ([("sad", "ann", "01"), ("keep", "bob", "02"), ("undo", "ann", "03")], ["keep"]),
        ([("keep", "bob", "02"), ("undo", "ann", "03")], ["keep"]),
        ([("undo", "ann", "03"), ("sad", "ann", "01"), ("drop", "ann", "02")], ["sad"]),
        ([("sad", "ann", "01"), ("undo", "", "")], []),  # by hand, and of nobody's name
    ],
)
def test_time_orders_decisions_and_undo_takes_back_its_own(rows, stands) -> None:
    assert standing(*rows) == stands


def test_the_latest_decision_comes_last() -> None:
    rows = [
        (letter * 64, "happy", "sad", "ann", f"2026-01-31T10:0{minute}:00Z", "")
        for letter, minute in (("a", 2), ("b", 1))
    ]
    latest = latest_decisions(pd.DataFrame(rows, columns=list(DECISION_COLUMNS), dtype=str))
    assert [pixel_hash[0] for pixel_hash in latest["pixel_hash"]] == ["b", "a"]
