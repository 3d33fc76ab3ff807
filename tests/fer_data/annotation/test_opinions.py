import pandas as pd

from fer_data.annotation.opinions import opinions
from fer_data.core.schema import DECISION_COLUMNS

A, B = (letter * 64 for letter in "ab")


def said(*rows: tuple[str, str, str], times: str = "") -> list[tuple[str, str, str]]:
    """Face, annotator and decision of each opinion, of (face, decision, annotator) a minute apart."""
    minutes = times or "".join(str(number) for number in range(len(rows)))
    full = [
        (face, "fear", decision, annotator, f"2026-01-31T10:0{minute}:00Z", "")
        for (face, decision, annotator), minute in zip(rows, minutes, strict=True)
    ]
    found = opinions(pd.DataFrame(full, columns=list(DECISION_COLUMNS), dtype=str))
    columns = (found[name] for name in ("pixel_hash", "annotator", "decision"))
    return sorted(zip(*columns, strict=True))


def test_each_person_s_last_decision_on_a_face_is_theirs() -> None:
    assert said((A, "sad", "ann"), (A, "keep", "bob"), (A, "drop", "ann"), (B, "sad", "bob")) == [
        (A, "ann", "drop"),
        (A, "bob", "keep"),
        (B, "bob", "sad"),
    ]


def test_time_says_which_one_is_the_last() -> None:
    assert said((A, "sad", "ann"), (A, "drop", "ann"), times="21") == [(A, "ann", "sad")]


def test_what_a_person_took_back_is_none_and_an_earlier_one_is_theirs_again() -> None:
    lines = [(A, "sad", "ann"), (A, "keep", "bob"), (A, "drop", "ann"), (A, "undo", "ann")]
    assert said(*lines) == [(A, "ann", "sad"), (A, "bob", "keep")]
    assert said(*lines, (A, "undo", "ann")) == [(A, "bob", "keep")]


def test_an_undo_of_nobody_takes_the_last_one_back_whosever_it_is() -> None:
    lines = [(A, "sad", "ann"), (A, "keep", "bob"), (A, "undo", "")]
    assert said(*lines) == [(A, "ann", "sad")]
    assert said(*lines, (A, "drop", "")) == [(A, "ann", "sad")]


def test_of_no_decisions_there_is_no_opinion() -> None:
    assert said() == []
