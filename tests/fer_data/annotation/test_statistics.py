import pandas as pd
import pytest

from fer_data.annotation.statistics import Tally, summarise_decisions, wilson_rate
from fer_data.core.schema import DECISION_COLUMNS

EXPRESSIONS = ("fear", "happy", "sad")
A, B, C, D = (letter * 64 for letter in "abcd")
SUSPECTS = pd.DataFrame(
    [
        (A, "fear", "sad", "wrong"),
        (B, "fear", "happy", "ambiguous"),
        (C, "sad", "happy", "non_face"),
    ],
    columns=["pixel_hash", "label", "suggested_label", "issue_type"],
)


def lines(*rows: tuple[str, str, str, str]) -> pd.DataFrame:
    """Decisions of (hash, given label, decision, annotator), a minute apart."""
    full = [(*row, f"2026-01-31T10:{minute:02d}:00Z", "") for minute, row in enumerate(rows)]
    return pd.DataFrame(full, columns=list(DECISION_COLUMNS), dtype=str)


def summary(*rows: tuple[str, str, str, str], suspects: pd.DataFrame = SUSPECTS):
    return summarise_decisions(lines(*rows), suspects, expressions=EXPRESSIONS)


def test_the_queue_was_right_where_people_relabeled_or_dropped() -> None:
    found = summary(
        (A, "fear", "sad", "ann"), (B, "fear", "keep", "ann"), (C, "sad", "drop", "ann")
    )
    assert found.queued == Tally(kept=1, relabeled=1, dropped=1, as_suggested=1)
    assert found.queued.decided == 3
    assert found.queued.right.value == pytest.approx(2 / 3)
    assert found.by_issue_type == {
        "wrong": Tally(relabeled=1, as_suggested=1),
        "ambiguous": Tally(kept=1),
        "non_face": Tally(dropped=1),
    }
    assert found.by_label == {
        "fear": Tally(kept=1, relabeled=1, as_suggested=1),
        "happy": Tally(),
        "sad": Tally(dropped=1),
    }


def test_the_given_label_itself_is_a_keep() -> None:
    found = summary((A, "fear", "fear", "ann"))
    assert found.total == found.queued == Tally(kept=1)
    assert found.moves["fear"]["fear"] == 1


def test_another_expression_than_the_suggested_one_is_no_agreement() -> None:
    found = summary((A, "fear", "happy", "ann"), (B, "fear", "happy", "ann"))
    assert found.queued == Tally(relabeled=2, as_suggested=1)
    assert found.queued.agreement.value == 0.5


def test_only_what_stands_counts() -> None:
    found = summary(
        (A, "fear", "keep", "ann"),
        (A, "fear", "sad", "bob"),  # replaces ann's
        (B, "fear", "drop", "ann"),
        (B, "fear", "undo", "ann"),
        (C, "sad", "keep", "bob"),
        (C, "sad", "drop", "bob"),
        (C, "sad", "undo", "bob"),  # so that bob's keep stands again
    )
    assert found.total == Tally(kept=1, relabeled=1, as_suggested=1)
    bob, ann = found.annotators
    assert (bob.name, bob.decisions, bob.undone) == ("bob", found.total, 1)
    assert (ann.name, ann.decisions, ann.undone) == ("ann", Tally(), 1)
    assert (ann.last_at, bob.last_at) == ("2026-01-31T10:03:00Z", "2026-01-31T10:06:00Z")


def test_a_decision_is_held_against_the_copy_that_the_person_saw() -> None:
    # Duplicates with conflicting labels, both in the queue; and D, which is not.
    duplicate = SUSPECTS.head(1).assign(
        label="happy", suggested_label="fear", issue_type="ambiguous"
    )
    suspects = pd.concat([SUSPECTS, duplicate], ignore_index=True)
    found = summary((A, "happy", "fear", "ann"), (D, "sad", "keep", "ann"), suspects=suspects)
    assert found.by_issue_type["ambiguous"] == Tally(relabeled=1, as_suggested=1)
    assert found.by_issue_type["wrong"] == Tally()
    assert found.elsewhere == Tally(kept=1)
    assert found.total == Tally(kept=1, relabeled=1, as_suggested=1)


def test_moves_are_counted_from_label_to_label() -> None:
    found = summary(
        (A, "fear", "sad", "ann"),
        (B, "fear", "sad", "ann"),
        (C, "sad", "drop", "ann"),
        (D, "Fear?", "happy", "ann"),
    )
    assert list(found.moves) == ["fear", "happy", "sad", "Fear?"]
    assert found.moves["fear"] == {"fear": 0, "happy": 0, "sad": 2, "Fear?": 0, "drop": 0}
    assert found.moves["sad"]["drop"] == 1
    assert found.moves["Fear?"]["happy"] == 1


def test_no_decisions_give_nothing() -> None:
    found = summary()
    assert found.total == found.queued == found.elsewhere == Tally()
    assert found.annotators == []
    assert found.queued.right.value is None
    assert found == summary(suspects=SUSPECTS.head(0))


@pytest.mark.parametrize(
    ("times", "trials", "expected"),
    [
        (50, 100, (0.5, 0.4038, 0.5962)),
        (0, 10, (0.0, 0.0, 0.2775)),
        (10, 10, (1.0, 0.7225, 1.0)),
        (1, 3, (1 / 3, 0.0615, 0.7923)),
        (0, 0, (None, None, None)),
    ],
)
def test_wilson_s_interval(times: int, trials: int, expected: tuple) -> None:
    rate = wilson_rate(times, trials)
    assert (rate.value, rate.low, rate.high) == pytest.approx(expected, abs=1e-4)
