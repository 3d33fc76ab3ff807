"""Files of decisions as version 0.1.0 wrote them mean today what they meant then."""

from pathlib import Path

import pandas as pd

from fer_data.annotation.apply_decisions import apply_decisions, read_accepted
from fer_data.annotation.decision_log import read_decisions
from fer_data.annotation.latest_decisions import latest_decisions
from fer_data.decision_import.import_plan import plan_import, read_file
from fer_data.decision_import.import_rows import read_text
from fer_data.decision_import.label_studio_export import read_annotations
from fer_data.validation.baseline import read_baseline
from fer_models.reporting.metric_changes import read_accepted as read_metrics
from tests.support.data.manifests import EXPRESSIONS

FOLDER = Path(__file__).parents[2] / "fixtures/format_1"
FINAL = {"c951": "sad", "e689": "happy", "a6d7": "happy", "d77d": "drop", "1f50": "sad"}
FINAL |= {"2a6d": "neutral"}
"""What was decided on each face, before the last line of `relabels.csv`."""


def final(decision_log: pd.DataFrame) -> dict[str, str]:
    faces = decision_log.drop_duplicates("pixel_hash")[["pixel_hash"]].assign(
        label="", split="train"
    )
    applied = apply_decisions(faces, latest_decisions(decision_log)).dropna()
    return {row.pixel_hash[:4]: row.decision for row in applied.itertuples()}


def test_decisions_are_read() -> None:
    decision_log = read_decisions(FOLDER / "relabels.csv", expressions=EXPRESSIONS)
    assert final(decision_log) == {**FINAL, "77f2": "sad"}
    assert set(decision_log["annotator"]) == {"ann", "bob", "Zo\u00eb"}


def test_what_was_accepted_is_read() -> None:
    folder = FOLDER / "accepted"
    assert final(read_accepted(folder / "relabels.csv", expressions=EXPRESSIONS)) == FINAL
    record = read_metrics(folder / "metrics.json")
    assert record is not None
    assert (record.by, record.num_decisions) == ("Zo\u00eb", 6)
    baseline = read_baseline(folder / "profile.json")
    assert baseline is not None
    assert baseline.faces == 150


def test_exports_are_read() -> None:
    file = FOLDER / "label_studio_export.json"
    reading = read_annotations(read_text(file), file=file)
    told = [(one.decision.decision, one.decision.annotator) for one in reading.entries]
    assert told == [
        ("sad", "bob@example.org"),
        ("keep", "Label Studio user 7"),
        ("drop", "Label Studio user 3"),
    ]
    assert (reading.num_skipped, reading.refusals) == (1, [])


def test_decisions_are_imported_into_another_clone() -> None:
    decision_log = read_decisions(FOLDER / "relabels.csv", expressions=EXPRESSIONS)
    manifest = decision_log[["pixel_hash"]].assign(label="happy", original_split="training")
    plan = plan_import(
        *(read_file(FOLDER / "relabels.csv"), decision_log.head(0), manifest),
        expressions=EXPRESSIONS,
    )
    assert plan.refusals == []
    assert len(plan.decisions) == 7
