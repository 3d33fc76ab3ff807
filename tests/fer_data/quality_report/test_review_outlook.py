"""What the queue found at its top, and what a further hour would find."""

from datetime import datetime, timedelta

import pandas as pd
import pytest

from fer_data.core.schema import DECISION_COLUMNS
from fer_data.quality_report.review_outlook import ASSUMED_PACE, Outlook, outlook_of, pace_of
from tests.support.data.simulated_scores import TRUE_LABEL, simulated_scores

FACES = simulated_scores(1000, seed=0)
ASSIGNMENTS = FACES[["path", "split"]]


def log_of(faces: pd.DataFrame, *, seconds: float = 4, note: str = "") -> pd.DataFrame:
    """Decisions by the key, one every few seconds."""
    start = datetime.fromisoformat("2026-01-31T10:00:00+00:00")
    times = [start + timedelta(seconds=seconds * number) for number in range(len(faces))]
    rows = faces[["pixel_hash"]].assign(
        given_label=faces["label"],
        decision=faces[TRUE_LABEL],
        annotator="ann",
        decided_at=[f"{time:%Y-%m-%dT%H:%M:%SZ}" for time in times],
        note=note,
    )
    return rows[list(DECISION_COLUMNS)]


def outlook(log: pd.DataFrame, *, chance: float = float("nan")) -> Outlook:
    ranking = FACES.assign(wrong_probability=chance)
    return outlook_of(log, log, FACES, ranking, ASSIGNMENTS)


def test_the_pace_is_that_of_the_decisions() -> None:
    log = log_of(FACES.head(50))
    assert pace_of(log) == pytest.approx(15)
    assert pace_of(log.iloc[::-1]) == pytest.approx(15)
    assert pace_of(log.head(20)) is None
    assert pace_of(log_of(FACES.head(50), seconds=400)) is None  # breaks all of them
    assert pace_of(log_of(FACES.head(50), note="50 images at once")) is None
    two = pd.concat([log, log.assign(annotator="bob")])
    assert pace_of(two) == pytest.approx(15)  # two people side by side are not twice as fast


def test_a_break_does_not_slow_a_person_down() -> None:
    late = log_of(FACES.iloc[30:60]).assign(
        decided_at=lambda log: log["decided_at"].str.replace("T10", "T15")
    )
    assert pace_of(pd.concat([log_of(FACES.head(30)), late])) == pytest.approx(15)


def test_the_decided_beginning_tells_the_precision() -> None:
    found = outlook(log_of(FACES.head(60)))
    wrong = (FACES["label"] != FACES[TRUE_LABEL]).head(60)
    assert found.places == 60
    assert found.precision.value == wrong.mean()
    assert outlook(log_of(FACES.iloc[100:200])).places == 0
    assert outlook(log_of(FACES.head(20))).places == 0


def test_an_hour_finds_what_its_places_hold() -> None:
    found = outlook(log_of(FACES.head(50)), chance=0.25)
    assert (found.is_measured, found.next_places, found.expected) == (True, 900, 225)
    few = outlook(log_of(FACES.head(10)), chance=0.25)
    assert (few.is_measured, few.pace, few.next_places) == (False, ASSUMED_PACE, 720)


def test_without_calibrated_chances_nothing_is_expected() -> None:
    assert outlook(log_of(FACES.head(50))).expected is None


def test_excluded_faces_never_wait() -> None:
    splits = ASSIGNMENTS["split"].where(FACES.index >= 800, "excluded")
    ranking = FACES.assign(wrong_probability=0.5)
    log = log_of(FACES.head(0))
    found = outlook_of(log, log, FACES, ranking, ASSIGNMENTS.assign(split=splits))
    assert (found.next_places, found.expected) == (200, 100)
