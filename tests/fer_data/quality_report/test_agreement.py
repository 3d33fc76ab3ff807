"""How far people agree, and what the page about the data says of it."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import cohen_kappa_score

from fer_data.core.schema import DECISION_COLUMNS
from fer_data.quality_report.agreement import Agreement, agreement_of
from tests.support.data.findings import decided, findings
from tests.support.data.quality_page import page_of, section, text

A, B, C = (letter * 64 for letter in "abc")
GIVEN = "fear"


def found(*rows: tuple[str, str, str], given: str = GIVEN, retired: tuple[str, ...] = ()):
    """The agreement in decisions of (face, annotator, decision)."""
    full = [
        (face, given, decision, annotator, f"2026-01-31T10:00:{second:02d}Z", "")
        for second, (face, annotator, decision) in enumerate(rows)
    ]
    log = pd.DataFrame(full, columns=list(DECISION_COLUMNS), dtype=str)
    return agreement_of(log, retired=retired)


def numbers(agreement: Agreement) -> tuple[int, int]:
    return agreement.num_faces, agreement.num_agreed


def test_kappa_is_that_of_scikit_learn() -> None:
    generator = np.random.default_rng(0)
    first = generator.choice(["sad", "happy", "keep", "drop"], size=50, p=[0.4, 0.2, 0.3, 0.1])
    second = np.where(generator.random(50) < 0.6, first, generator.permutation(first))
    faces = [f"{number:064x}" for number in range(50)]
    agreement = found(
        *zip(faces, ["ann"] * 50, first, strict=True),
        *zip(faces, ["bob"] * 50, second, strict=True),
    )
    (pair,) = agreement.pairs
    agreed = int((first == second).sum())
    assert (pair.names, pair.faces, pair.agreed) == (("ann", "bob"), 50, agreed)
    assert pair.kappa.value == pytest.approx(cohen_kappa_score(first, second))
    assert numbers(agreement) == (50, agreed)
    assert len(agreement.disputed) == 50 - agreed


def test_few_faces_make_a_wide_interval_even_where_all_agree() -> None:
    (pair,) = found(
        *[(A, "ann", "sad"), (A, "bob", "sad"), (B, "ann", "keep"), (B, "bob", "keep")]
    ).pairs
    # Chance gives 0.5, and Wilson's interval of 2 in 2 begins at 0.342.
    assert (pair.kappa.value, pair.kappa.low, pair.kappa.high) == pytest.approx(
        (1.0, -0.315, 1.0), abs=1e-3
    )


def test_one_answer_to_every_face_has_no_kappa() -> None:
    (pair,) = found((A, "ann", "drop"), (A, "bob", "drop")).pairs
    assert pair.kappa.value is None
    assert pair.rate.value == 1.0


def test_one_person_s_decisions_on_a_face_are_no_agreement() -> None:
    agreement = found((A, "ann", "sad"), (A, "ann", "sad"), (B, "bob", "sad"))
    assert numbers(agreement) == (0, 0)
    assert agreement.num_people == 2
    assert agreement.pairs == []


def test_each_person_s_last_decision_that_was_not_undone_counts() -> None:
    lines = [(A, "ann", "sad"), (A, "bob", "happy"), (A, "bob", "sad"), (B, "ann", "drop")]
    assert numbers(found(*lines)) == (1, 1)
    assert numbers(found(*lines, (B, "bob", "keep"), (B, "bob", "undo"))) == (1, 1)
    assert numbers(found(*lines, (B, "bob", "keep"), (B, "ann", "undo"))) == (1, 1)


def test_the_given_label_itself_is_a_keep_and_drop_is_an_answer() -> None:
    agreement = found(
        *[(A, "ann", "keep"), (A, "bob", GIVEN), (B, "ann", "drop"), (B, "bob", "keep")],
        *[(C, "ann", "drop"), (C, "bob", "drop")],
    )
    assert numbers(agreement) == (3, 2)
    assert agreement.disputed.to_dict("records") == [
        {"pixel_hash": B, "given_label": GIVEN, "answers": [("ann", "drop"), ("bob", "keep")]}
    ]


def test_to_keep_two_labels_of_two_copies_is_no_agreement() -> None:
    log = pd.DataFrame(
        [
            (A, "fear", "keep", "ann", "2026-01-31T10:00:00Z", ""),
            (A, "sad", "keep", "bob", "2026-01-31T10:00:01Z", ""),
            (B, "fear", "keep", "ann", "2026-01-31T10:00:02Z", ""),
            (B, "sad", "fear", "bob", "2026-01-31T10:00:03Z", ""),
        ],
        columns=list(DECISION_COLUMNS),
    )
    agreement = agreement_of(log)
    assert numbers(agreement) == (2, 1)
    assert list(agreement.disputed["answers"]) == [[("ann", "fear"), ("bob", "sad")]]


def test_retired_expressions_and_lines_of_nobody_do_not_count() -> None:
    lines = [(A, "ann", "contempt"), (A, "bob", "sad"), (B, "ann", "sad"), (B, "", "drop")]
    assert numbers(found(*lines, retired=("contempt",))) == (0, 0)
    assert numbers(found(*lines)) == (1, 0)


def test_of_three_people_each_two_are_a_pair_those_with_most_faces_first() -> None:
    agreement = found(
        *[(A, "cem", "sad"), (A, "bob", "sad"), (A, "ann", "drop")],
        *[(B, "cem", "sad"), (B, "bob", "sad")],
    )
    assert [(pair.names, pair.faces, pair.agreed) for pair in agreement.pairs] == [
        (("bob", "cem"), 2, 2),
        (("ann", "bob"), 1, 0),
        (("ann", "cem"), 1, 0),
    ]
    assert numbers(agreement) == (2, 1)


def test_no_decisions_give_nothing() -> None:
    agreement = found()
    assert (agreement.num_people, *numbers(agreement)) == (0, 0, 0)
    assert agreement.rate.value is None


def told(*logs: pd.DataFrame) -> tuple[str, str]:
    """What the page says of decisions: as text, and as HTML."""
    made = findings(decision_log=pd.concat(logs, ignore_index=True))
    html = section(page_of(made), "decisions")
    return text(html), html


def by(annotator: str, *rows: int, decision: str = "keep") -> pd.DataFrame:
    return decided(*rows, decision=decision).assign(annotator=annotator)


def test_the_page_shows_how_far_people_agree_and_where_they_do_not() -> None:
    said, html = told(
        by("ann", 0, 2), by("bob", 0), by("bob", 2, decision="sad"), by("<cem>", 2, decision="drop")
    )
    assert "2 faces were decided by two people or more: they agreed on 50 %" in said
    assert "and disagree about 1." in said
    assert "ann and bob 2 1 50 % 9 - 91 % 0.00 -0.81 - 0.81" in said
    assert "<cem> and ann 1 0 0 % 0 - 79 % 0.00 0.00 - 0.79" in said
    assert "With so few faces the intervals are wide" in said
    assert "angry drop: <cem> keep: ann sad: bob Training/Angry/2.jpg" in said
    assert html.count("<img") == 1
    assert "<cem>" not in html


def test_a_copy_under_the_label_that_people_saw_is_shown() -> None:
    # Faces 0 (angry) and 1 (happy) have equal pixels.
    said, _ = told(by("ann", 1), by("bob", 1, decision="sad"))
    assert "happy keep: ann sad: bob Training/Happy/1.jpg" in said


def test_without_a_face_of_two_people_the_page_says_how_to_get_some() -> None:
    assert "No face was decided by two people" in told(by("ann", 0), by("bob", 2))[0]
    assert "agree" not in told(by("ann", 0), by("ann", 0, decision="sad"))[0].replace(
        "agreement", ""
    )
    assert "How far people agree" not in told(by("ann", 0, 2))[0]


def test_the_page_is_the_same_in_whatever_order_two_branches_were_merged() -> None:
    logs = [by("ann", 0, 2), by("bob", 0, 2, decision="drop")]
    made = [
        page_of(findings(decision_log=pd.concat(order, ignore_index=True)))
        for order in (logs, logs[::-1])
    ]
    sections = [section(page, "decisions").split("How far people agree")[1] for page in made]
    # What stands goes by lines where times are equal; what each person said does not.
    assert sections[0].split("How often")[0] == sections[1].split("How often")[0]
