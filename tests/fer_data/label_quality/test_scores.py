import numpy as np
import pytest

from fer_data.label_quality.scores import (
    issue_types_of,
    label_quality_scores,
    suggestions,
    with_duplicates,
)


def duplicates(labels: list[int], faces: list[str], groups: list[int], reliability: float = 0.7):
    even = np.full((len(labels), 3), 1 / 3)
    return with_duplicates(
        *(even, np.array(labels)),
        faces=np.array(faces, dtype=object),
        groups=np.array(groups),
        reliability=reliability,
    )


def test_a_duplicate_s_label_counts_by_bayes_rule() -> None:
    moved = duplicates([0, 1, 2], ["a", "b", "c"], [0, 0, 1])
    np.testing.assert_allclose(moved[0], [0.15, 0.7, 0.15])
    np.testing.assert_allclose(moved[1], [0.7, 0.15, 0.15])
    np.testing.assert_allclose(moved[2], [1 / 3] * 3)


def test_copies_with_the_same_label_say_nothing_and_conflicting_ones_do() -> None:
    same = duplicates([0, 0], ["a", "a"], [0, 0])
    np.testing.assert_allclose(same, 1 / 3)
    conflict = duplicates([0, 1, 1], ["a", "a", "a"], [0, 0, 0])
    np.testing.assert_allclose(conflict[0], [0.15, 0.7, 0.15])
    np.testing.assert_allclose(conflict[1], [0.7, 0.15, 0.15])


def test_a_reliability_of_chance_says_nothing() -> None:
    np.testing.assert_allclose(duplicates([0, 1], ["a", "b"], [0, 0], 1 / 3), 1 / 3)


def test_many_near_duplicates_count_as_few() -> None:
    few = duplicates([0, *[1] * 3], [str(n) for n in range(4)], [0] * 4)
    many = duplicates([0, *[1] * 9], [str(n) for n in range(10)], [0] * 10)
    np.testing.assert_allclose(few[0], many[0])


@pytest.mark.parametrize(
    ("probabilities", "issue_type"),
    [
        ([0.1, 0.8, 0.1], "wrong"),
        ([0.1, 0.5, 0.4], "ambiguous"),  # two others are plausible
        ([0.4, 0.5, 0.1], "ambiguous"),  # the given label is plausible
        (
            [0.9, 0.05, 0.05],
            "ambiguous",
        ),  # the given label is probable: nothing clear speaks against it
    ],
)
def test_the_issue_type_says_whether_another_expression_is_clear(
    probabilities, issue_type: str
) -> None:
    labels, given = np.array([0]), np.array([probabilities])
    assert list(issue_types_of(labels, given, np.array([False]), clear_ratio=2)) == [issue_type]
    assert list(issue_types_of(labels, given, np.array([True]), clear_ratio=2)) == ["non_face"]


def test_the_suggestion_is_never_the_given_label() -> None:
    probabilities = np.array([[0.6, 0.3, 0.1], [0.6, 0.3, 0.1]])
    assert list(suggestions(np.array([0, 2]), probabilities)) == [1, 0]


def test_odds_are_lower_for_a_clear_rival_than_for_a_face_that_could_show_anything() -> None:
    labels = np.array([0, 0, 0])
    probabilities = np.array([[0.1, 0.9, 0.0], [0.1, 0.45, 0.45], [0.9, 0.1, 0.0]])
    np.testing.assert_allclose(
        label_quality_scores(labels, probabilities, method="odds"), [0.1, 0.1 / 0.55, 0.9]
    )
    own = label_quality_scores(labels, probabilities, method="self_confidence")
    np.testing.assert_allclose(own, [0.1, 0.1, 0.9])
