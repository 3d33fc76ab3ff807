"""Soft labels: shares of votes for faces of `train`, the final label alone for all others."""

import numpy as np
import pandas as pd

from fer_data.curation.soft_labels import with_label_shares

EXPRESSIONS = ("happy", "sad", "fear")


def soften(
    label: str = "happy",
    split: str = "train",
    *,
    shares: tuple[float, float, float] = (0.6, 0.4, 0.0),
    decided: bool = False,
    others: tuple[tuple[str, str], ...] = (),
) -> tuple[list[float], int]:
    """The shares of a face with votes, beside others (hash, split), and how many are soft."""
    rows = [("face", label, split), *((face, "sad", role) for face, role in others)]
    examples = pd.DataFrame(rows, columns=["pixel_hash", "label", "split"])
    votes = pd.DataFrame([shares], index=["face"], columns=list(EXPRESSIONS), dtype=np.float32)
    softened, num_soft = with_label_shares(
        *(examples, votes), decided={"face"} if decided else set(), expressions=EXPRESSIONS
    )
    assert list(softened.columns) == ["pixel_hash", "label", "split", "label_shares"]
    for row in softened["label_shares"][1:]:
        assert list(row) == [0, 1, 0]
    return np.round(softened["label_shares"].iloc[0].astype(float), 6).tolist(), num_soft


def test_a_face_of_train_has_the_shares_of_its_votes() -> None:
    assert soften(others=(("other", "train"),)) == ([0.6, 0.4, 0.0], 1)


def test_shares_follow_the_order_of_the_classes() -> None:
    examples = pd.DataFrame({"pixel_hash": ["face"], "label": ["sad"], "split": ["train"]})
    votes = pd.DataFrame({"fear": [0.1], "sad": [0.7], "happy": [0.2]}, index=["face"])
    softened, _ = with_label_shares(examples, votes, decided=(), expressions=EXPRESSIONS)
    np.testing.assert_allclose(softened["label_shares"][0], [0.2, 0.7, 0.1], rtol=1e-6)


def test_validation_and_test_keep_the_label_alone() -> None:
    for split in ("validation", "test"):
        assert soften(split=split) == ([1, 0, 0], 0)


def test_votes_on_a_face_that_test_holds_too_are_not_learned_from() -> None:
    assert soften(others=(("face", "test"),)) == ([1, 0, 0], 0)


def test_an_undecided_face_has_its_shares_even_against_its_label() -> None:
    assert soften("fear") == ([0.6, 0.4, 0.0], 1)


def test_what_a_person_decided_otherwise_than_most_votes_stands() -> None:
    assert soften("sad", decided=True) == ([0, 1, 0], 0)
    assert soften("happy", decided=True) == ([0.6, 0.4, 0.0], 1)
    assert soften("sad", decided=True, shares=(0.5, 0.5, 0.0)) == ([0.5, 0.5, 0.0], 1)  # a tie
