"""How many labels are wrong, from the audit's decisions."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from fer_data.core.schema import DECISION_COLUMNS
from fer_data.quality_report.audit_results import (
    AuditResult,
    audit_result,
    auroc,
    decided_beginning,
    stratified_rate,
)
from fer_data.review_queue.audit import draw_audit
from tests.support.data.simulated_scores import CLASSES, TRUE_LABEL, simulated_scores

FACES = simulated_scores(3000, seed=0)
NOBODY = pd.Series([], dtype=str)
AUDIT = draw_audit(FACES, NOBODY, num_faces=300, seed=0)
WRONG = float((FACES["label"] != FACES[TRUE_LABEL]).mean())


def lines(hashes: pd.Series, *, note: str = "", **changes: Any) -> pd.DataFrame:
    """Decisions by the key on some faces."""
    faces = FACES.set_index("pixel_hash").loc[list(hashes)]
    rows = pd.DataFrame(
        {
            "pixel_hash": list(hashes),
            "given_label": list(faces["label"]),
            "decision": list(faces[TRUE_LABEL]),
            "annotator": "ann",
            "decided_at": "2026-01-31T10:00:00Z",
            "note": note,
        }
    )
    return rows.assign(**changes)[list(DECISION_COLUMNS)]


def result(decisions: pd.DataFrame) -> AuditResult:
    return audit_result(AUDIT, decisions, FACES, FACES, expressions=CLASSES)


def test_the_decided_sample_tells_the_part_of_wrong_labels() -> None:
    found = result(lines(AUDIT["pixel_hash"]))
    assert (found.sample, found.decided, found.counted, found.faces) == (300, 300, 300, 3000)
    assert sum(one.faces for one in found.classes) == 3000
    assert {one.counted for one in found.classes} == {50}
    wrong = AUDIT.merge(FACES[["path", TRUE_LABEL]], on="path")
    of_fear = wrong[wrong["label"] == "fear"]
    by_class = {one.expression: one for one in found.classes}
    assert by_class["fear"].wrong == (of_fear["label"] != of_fear[TRUE_LABEL]).sum()
    assert by_class["fear"].rate.value == by_class["fear"].wrong / 50


def test_over_many_samples_the_estimate_is_right_and_its_interval_too() -> None:
    rates = []
    for seed in range(40):
        audit = draw_audit(FACES, NOBODY, num_faces=120, seed=seed)
        decisions = lines(audit["pixel_hash"])
        rates.append(audit_result(audit, decisions, FACES, FACES, expressions=CLASSES).total)
    assert np.mean([rate.value for rate in rates]) == pytest.approx(WRONG, abs=0.015)
    held = [rate.low is not None and rate.low <= WRONG <= (rate.high or 0) for rate in rates]
    assert sum(held) >= 35


def test_few_decisions_give_no_numbers() -> None:
    found = result(lines(AUDIT["pixel_hash"].head(40)))
    assert (found.counted, found.total.value) == (40, None)
    assert {one.rate.value for one in found.classes} == {None}  # seven of a class at most
    assert result(lines(AUDIT["pixel_hash"].head(0))).total.value is None


def test_what_the_queue_chose_to_show_first_does_not_count() -> None:
    queued = set(FACES["pixel_hash"].head(300))
    early = AUDIT["pixel_hash"][AUDIT["pixel_hash"].isin(queued)]
    late = AUDIT["pixel_hash"].head(60)
    both = pd.concat([late, early]).drop_duplicates()
    found = result(lines(both))
    assert len(early) > 15
    assert found.decided == len(both)
    assert 60 <= found.counted <= 65


def test_decisions_on_many_images_at_once_do_not_count() -> None:
    alone = lines(AUDIT["pixel_hash"].head(100))
    at_once = lines(AUDIT["pixel_hash"].iloc[100:], note="12 images at once")
    found = result(pd.concat([alone, at_once]))
    assert (found.decided, found.at_once, found.counted) == (100, 200, 100)


def test_a_dropped_face_has_a_wrong_label_and_a_kept_one_a_right_one() -> None:
    dropped = result(lines(AUDIT["pixel_hash"], decision="drop"))
    kept = result(lines(AUDIT["pixel_hash"], decision="keep"))
    assert dropped.total.value == 1
    assert kept.total.value == 0
    assert kept.total.high is not None
    assert 0 < kept.total.high < 0.03


def test_a_copy_that_was_kept_under_another_label_is_wrong_here() -> None:
    first = lines(AUDIT["pixel_hash"], decision="keep")
    other = "sad" if AUDIT["label"][0] != "sad" else "happy"
    first.loc[0, "given_label"] = other
    assert result(first).num_wrong == 1


@pytest.mark.parametrize(
    ("pattern", "length"),
    [("", 0), ("0111", 0), ("1110111", 3), ("1" * 20 + "0" + "1" * 3, 24), ("1" * 19 + "0", 19)],
)
def test_a_beginning_has_few_holes(pattern: str, length: int) -> None:
    assert decided_beginning(np.array([one == "1" for one in pattern], dtype=bool)) == length


def test_one_stratum_has_its_wilson_interval() -> None:
    rate = stratified_rate([(10, 100, 5000)])
    assert (rate.value, rate.low, rate.high) == pytest.approx((0.1, 0.0552, 0.1744), abs=1e-4)


def test_the_stratified_interval_holds_the_truth_as_often_as_it_says() -> None:
    generator = np.random.default_rng(0)
    sizes, rates = [4000, 4000, 7000, 5000, 5000, 3000], [0.2, 0.4, 0.02, 0.1, 0.15, 0.05]
    truth = float(np.average(rates, weights=sizes))
    held, trials = 0, 2000
    for _ in range(trials):
        times = generator.binomial(33, rates)
        strata = [(int(t), 33, size) for t, size in zip(times, sizes, strict=True)]
        interval = stratified_rate(strata)
        assert interval.low is not None
        assert interval.high is not None
        held += interval.low <= truth <= interval.high
    assert 0.93 < held / trials < 0.98


def test_the_auroc_counts_pairs_by_what_faces_stand_for() -> None:
    wrong = np.array([True] * 10 + [False] * 10)
    apart = np.linspace(0, 1, 20)
    ones = np.ones(20)
    assert auroc(wrong, apart, ones).value == 1
    assert auroc(wrong, -apart, ones).value == 0
    assert auroc(wrong, np.zeros(20), ones).value == 0.5
    mixed = np.where(wrong, 0.0, np.where(np.arange(20) < 15, 1.0, -1.0))
    heavy = np.where(np.arange(20) < 15, 3.0, 1.0)
    assert auroc(wrong, mixed, ones).value == 0.5
    assert auroc(wrong, mixed, heavy).value == 0.75
    interval = auroc(wrong, mixed, ones)
    assert interval.low is not None
    assert interval.high is not None
    assert 0.2 < interval.low < 0.5 < interval.high < 0.8
    assert auroc(wrong[6:], mixed[6:], ones[6:]).value is None  # four wrong ones
