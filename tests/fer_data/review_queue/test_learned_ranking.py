"""What the queue learns from decisions, on simulated probabilities: no network is trained."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from fer_data.core.schema import DROP
from fer_data.review_queue.audit import draw_audit, mix_in
from fer_data.review_queue.decided_faces import MAX_WEIGHT, DecidedFaces, decided_faces
from fer_data.review_queue.learned_ranking import Ranking, in_words, learn_ranking
from fer_data.review_queue.review_queue import review_queue
from tests.support.data.simulated_scores import CLASSES, TRUE_LABEL, simulated_scores

MOSTLY_ANOTHERS = {("happy", "surprise"): 0.6}
"""The labels of one class are mostly those of another."""
NOBODY = pd.DataFrame({"pixel_hash": [], "given_label": [], "decision": []}, dtype=str)


def by_the_key(ranked: pd.DataFrame, hashes: pd.Series) -> pd.DataFrame:
    rows = ranked[ranked["pixel_hash"].isin(hashes)]
    columns = {"label": "given_label", TRUE_LABEL: "decision"}
    return rows[["pixel_hash", "label", TRUE_LABEL]].rename(columns=columns)


def audit_of(ranked: pd.DataFrame) -> pd.DataFrame:
    return draw_audit(ranked, NOBODY["pixel_hash"], num_faces=200, seed=0)


def first_decisions(ranked: pd.DataFrame, number: int) -> pd.DataFrame:
    """The first faces of the queue, with the audit mixed in, decided by the key."""
    queue = review_queue(ranked, NOBODY, budget=1000, balance="none")
    return by_the_key(ranked, mix_in(queue, audit_of(ranked))["pixel_hash"].head(number))


def learned(ranked: pd.DataFrame, decisions: pd.DataFrame, **changes: Any) -> Ranking:
    settings = {"expressions": CLASSES, "min_decisions": 100} | changes
    return learn_ranking(ranked, decided_faces(ranked, decisions, audit_of(ranked)), **settings)


def wrong_in_next(ranking: pd.DataFrame, truth: pd.DataFrame, decisions: pd.DataFrame) -> int:
    queue = review_queue(ranking, decisions, budget=100, balance="none")
    right = queue["path"].map(truth.set_index("path")[TRUE_LABEL])
    return int((right != queue["label"]).sum())


@pytest.fixture(scope="module")
def systematic() -> pd.DataFrame:
    return simulated_scores(1500, seed=0, confused=MOSTLY_ANOTHERS)


@pytest.fixture(scope="module")
def taught(systematic: pd.DataFrame) -> Ranking:
    return learned(systematic, first_decisions(systematic, 100))


@pytest.mark.parametrize("seed", [1, 2, 4])
def test_after_100_decisions_the_next_100_places_hold_more_wrong_labels(seed: int) -> None:
    ranked = simulated_scores(1500, seed=seed, confused=MOSTLY_ANOTHERS)
    decisions = first_decisions(ranked, 100)
    ranking = learned(ranked, decisions)
    assert ranking.summary["ranking"] == "decisions"
    without = wrong_in_next(ranked, ranked, decisions)
    assert wrong_in_next(ranking.ranked, ranked, decisions) >= without + 50


def test_label_quality_stays_where_decisions_teach_nothing_better() -> None:
    ranked = simulated_scores(1500, seed=3, confused={})
    ranking = learned(ranked, first_decisions(ranked, 100))
    losses = ranking.summary["log_loss"]
    assert ranking.summary["ranking"] == "label quality"
    assert losses["decisions"] >= losses["label quality"]
    kept = ["path", "label_quality", "rank"]
    pd.testing.assert_frame_equal(ranking.ranked[kept], ranked[kept])
    assert ranking.ranked["wrong_probability"].between(0, 1).all()  # calibrated all the same
    assert "ranked by label quality (log loss" in in_words(ranking.summary)


@pytest.mark.parametrize(
    ("number", "min_decisions", "reason"),
    [
        (90, 100, "90 decisions, 100 needed to learn from them"),
        (100, 0, "review_queue.min_decisions_to_learn is 0"),
    ],
)
def test_too_few_decisions_teach_nothing(
    systematic: pd.DataFrame, number: int, min_decisions: int, reason: str
) -> None:
    ranking = learned(systematic, first_decisions(systematic, number), min_decisions=min_decisions)
    assert ranking.summary["reason"] == reason
    assert ranking.ranked["wrong_probability"].isna().all()
    assert ranking.ranked["rank"].equals(systematic["rank"])
    assert in_words(ranking.summary) == f"ranked by label quality ({reason})"


def test_decisions_of_the_queue_alone_teach_nothing(systematic: pd.DataFrame) -> None:
    elsewhere = systematic[~systematic["pixel_hash"].isin(audit_of(systematic)["pixel_hash"])]
    decisions = by_the_key(systematic, elsewhere["pixel_hash"].head(150))
    reason = learned(systematic, decisions).summary["reason"]
    assert reason == "0 of 150 decisions on the audit, 10 needed"


def test_decisions_that_all_say_the_same_teach_nothing(systematic: pd.DataFrame) -> None:
    decisions = first_decisions(systematic, 100).assign(decision=DROP)
    assert "100 of 100 decided labels wrong" in learned(systematic, decisions).summary["reason"]


def test_suggestions_learn_too(systematic: pd.DataFrame, taught: Ranking) -> None:
    hits = taught.summary["hits"]
    assert taught.summary["suggestions"] == "decisions"
    assert hits["decisions"] > hits["label quality"]
    ranked = taught.ranked
    assert (ranked["suggested_label"] != ranked["label"]).all()
    wrong = ranked.merge(systematic[["path", "suggested_label"]], on="path", suffixes=("", "_was"))
    wrong = wrong[wrong["label"] != wrong[TRUE_LABEL]]
    right = [(wrong[name] == wrong[TRUE_LABEL]).mean() for name in wrong if "suggested" in name]
    assert right[0] > right[1]


def test_the_same_decisions_teach_the_same(systematic: pd.DataFrame, taught: Ranking) -> None:
    decisions = first_decisions(systematic, 100)
    again = learned(systematic, decisions.iloc[::-1])
    pd.testing.assert_frame_equal(again.ranked, taught.ranked)
    assert again.summary == taught.summary


def test_no_decision_counts_on_its_own_face(systematic: pd.DataFrame, taught: Ranking) -> None:
    # The opposite decision on one face leaves what is predicted of it about where it was.
    decisions = first_decisions(systematic, 100)
    chances = taught.ranked.set_index("pixel_hash")["wrong_probability"]
    surest = chances[decisions["pixel_hash"]].idxmax()
    turned = decisions.assign(
        decision=decisions["decision"].mask(
            decisions["pixel_hash"] == surest, decisions["given_label"]
        )
    )
    after = learned(systematic, turned).ranked.set_index("pixel_hash")["wrong_probability"]
    assert chances[surest] > 0.9
    assert after[surest] > 0.8


def joined(ranked: pd.DataFrame, decisions: pd.DataFrame) -> DecidedFaces:
    return decided_faces(ranked, decisions, audit_of(ranked))


def test_near_duplicates_are_in_one_fold(systematic: pd.DataFrame) -> None:
    pairs = systematic.assign(near_group=systematic.index // 2)
    found = joined(pairs, by_the_key(pairs, pairs["pixel_hash"].head(100)))
    folds = pd.Series(found.folds).groupby(pairs["near_group"].to_numpy()[found.rows]).nunique()
    assert set(folds) == {1}
    assert set(found.folds) == {0, 1, 2, 3, 4}


def test_decisions_on_the_audit_weigh_more(systematic: pd.DataFrame) -> None:
    found = joined(systematic, first_decisions(systematic, 100))
    assert found.is_audit.sum() >= 18
    assert set(found.weights[~found.is_audit]) == {1.0}
    assert (found.weights[found.is_audit] == MAX_WEIGHT).all()


def test_a_decision_is_of_the_copy_whose_label_was_seen(systematic: pd.DataFrame) -> None:
    same = systematic["pixel_hash"].mask(systematic["rank"] == 2, systematic["pixel_hash"][0])
    copies = systematic.assign(pixel_hash=same)
    labels = copies["label"].mask(copies["rank"] == 1, "sad").mask(copies["rank"] == 2, "happy")
    copies = copies.assign(label=labels)
    decision = pd.DataFrame(
        {"pixel_hash": [same[0]], "given_label": ["happy"], "decision": ["keep"]}
    )
    found = joined(copies, decision)
    assert list(copies["label"].iloc[found.rows]) == ["happy"]
    assert not found.wrong[0]
    assert np.array_equal(found.final, ["happy"])
