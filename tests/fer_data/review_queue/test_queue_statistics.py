import pytest

from fer_data.review_queue.queue_statistics import queue_by_class, undecided
from tests.support.data.findings import EXPRESSIONS, decided, findings

SUSPECTS = findings().suspects


def test_a_decision_takes_all_copies_of_its_face_out_of_the_queue() -> None:
    left = undecided(SUSPECTS, decided(3))
    assert list(left["path"]) == [SUSPECTS["path"][row] for row in (0, 1, 2)]


def test_the_lowest_label_quality_comes_first() -> None:
    left = undecided(SUSPECTS.iloc[[3, 0, 4, 2, 1]], decided(2))
    assert list(left["rank"]) == [1, 2, 4, 5]


def test_label_quality_is_summed_up_by_class() -> None:
    angry, happy, sad = queue_by_class(findings().label_quality, SUSPECTS, expressions=EXPRESSIONS)
    assert angry == {
        "expression": "angry",
        "scored": 2,
        "median": pytest.approx(0.14),
        "queued": 2,
        "issue_types": {"wrong": 2, "ambiguous": 0, "non_face": 0},
        "suggestions": {"sad": 2},
    }
    assert happy["issue_types"] == {"wrong": 1, "ambiguous": 1, "non_face": 1}
    assert (sad["scored"], sad["queued"], sad["suggestions"]) == (2, 0, {})


def test_a_class_without_scored_faces_has_no_median() -> None:
    (fear,) = queue_by_class(findings().label_quality, SUSPECTS, expressions=("fear",))
    assert (fear["scored"], fear["median"]) == (0, None)
