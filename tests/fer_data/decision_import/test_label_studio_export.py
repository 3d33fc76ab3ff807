import json
from pathlib import Path
from typing import Any

import pytest

from fer_data.core.errors import UserError
from fer_data.decision_import.import_rows import Reading
from fer_data.decision_import.label_studio_export import read_annotations

FILE = Path("export.json")
FACE = "ab" * 32


def annotation(*choices: str, by: Any = 7, **changes: Any) -> dict[str, Any]:
    """As Label Studio 1.x exports it."""
    result = {
        "id": "Dx_aB91ISN",
        "from_name": "expression",
        "to_name": "face",
        "type": "choices",
        "origin": "manual",
        "value": {"choices": list(choices)},
    }
    fields = {
        "id": 1001,
        "completed_by": by,
        "result": [result] if choices else [],
        "was_cancelled": False,
        "ground_truth": False,
        "created_at": "2026-01-31T10:00:00.728353Z",
        "updated_at": "2026-01-31T10:00:05.728378Z",
        "lead_time": 4.288,
    }
    return fields | changes


def task(*annotations: dict[str, Any], **changes: Any) -> dict[str, Any]:
    data = {"image": "data:image/png;base64,", "pixel_hash": FACE, "given_label": "happy"}
    fields = {"id": 17, "data": data, "annotations": list(annotations), "predictions": [{}]}
    return fields | changes


def person(email: str, number: int = 7) -> dict[str, Any]:
    return {"id": number, "email": email, "first_name": "", "last_name": ""}


def read(*tasks: Any) -> Reading:
    return read_annotations(json.dumps(tasks), file=FILE)


def test_an_answer_is_a_decision() -> None:
    (entry,) = read(task(annotation("sad", by=person("ann@example.org")))).entries
    assert entry.number == 1
    assert entry.named
    assert entry.decision.pixel_hash == FACE
    assert entry.decision.given_label == "happy"
    assert entry.decision.decision == "sad"
    assert entry.decision.annotator == "ann@example.org"
    assert entry.decision.decided_at == "2026-01-31T10:00:05Z"


@pytest.mark.parametrize(
    ("by", "name"),
    [
        (7, "Label Studio user 7"),
        (person(""), "Label Studio user 7"),
        ({"id": 7, "email": None, "first_name": None}, "Label Studio user 7"),
        (None, "Label Studio user unknown"),
    ],
)
def test_a_person_without_an_address_is_a_number(by: Any, name: str) -> None:
    (entry,) = read(task(annotation("sad", by=by))).entries
    assert entry.decision.annotator == name
    assert not entry.named


def test_tasks_that_people_skipped_are_counted_and_unanswered_ones_are_not() -> None:
    bare = {name: value for name, value in task().items() if name != "annotations"}
    reading = read(task(annotation(was_cancelled=True)), task(), bare, task(annotation("keep")))
    assert reading.num_skipped == 1
    assert [entry.number for entry in reading.entries] == [4]
    assert reading.refusals == []


def test_a_person_s_last_answer_counts() -> None:
    later = annotation("keep", updated_at="2026-02-01T00:00:00Z")
    (entry,) = read(task(later, annotation("sad"))).entries
    assert entry.decision.decision == "keep"


def test_people_who_agree_are_two_entries_and_people_who_disagree_none() -> None:
    ann, bob = person("ann@example.org", 1), person("bob@example.org", 2)
    agreed = read(task(annotation("sad", by=ann), annotation("sad", by=bob)))
    assert [entry.decision.annotator for entry in agreed.entries] == [ann["email"], bob["email"]]
    split = read(task(annotation("sad", by=ann), annotation("happy", by=bob)))
    assert split.entries == []
    assert split.refusals[0].reason == (
        "people disagree ('ann@example.org: sad, bob@example.org: happy'): settle it in Label Studio"
    )


def other_control(**changes: str) -> dict[str, Any]:
    one = annotation("sad")
    return {**one, "result": [one["result"][0] | changes]}


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (task(annotation()), "got 0 answers to 'expression', expected one"),
        (task(annotation("sad", "happy")), "got 2 answers to 'expression', expected one"),
        (task(other_control(from_name="mood")), "got 0 answers to 'expression'"),
        (task(other_control(type="taxonomy")), "got 0 answers to 'expression'"),
        (task(annotation("sad", updated_at="noon")), "annotations.0.updated_at: input should be a"),
        (task(annotation("sad", updated_at=None)), "annotations.0.updated_at"),
        (
            task(annotation("sad", updated_at="9999-12-31T23:59:59-12:00")),
            "annotations.0.updated_at: value error, the time is out of range",
        ),
        (task(annotation("sad", by=["ann"])), "annotations.0.completed_by"),
        (task(data={"image": "x"}), "data.pixel_hash: field required"),
        (
            task(data={"pixel_hash": 5, "given_label": "happy"}),
            "data.pixel_hash: input should be a",
        ),
        (task(annotations={}), "annotations: input should be a valid array"),
        (task(annotation("sad", result="sad")), "annotations.0.result"),
        (task(annotation("sad") | {"result": [{"value": []}]}), "annotations.0.result.0.value"),
        ("task", "the task: input should be an object"),
        (task(data={"pixel_hash": "\ud800", "given_label": "happy"}), "the task: invalid JSON"),
    ],
)
def test_a_bad_task_is_refused_and_no_other_is(bad: Any, reason: str) -> None:
    reading = read(task(annotation("sad")), bad, task(annotation("keep")))
    assert [entry.number for entry in reading.entries] == [1, 3]
    (refusal,) = reading.refusals
    assert refusal.number == 2
    assert refusal.reason.startswith(reason)
    assert "\n" not in refusal.reason


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[{"id": 1', r"export\.json is not JSON: Expecting"),
        ("[" * 100_000, "is not JSON: maximum recursion depth"),
        ('{"tasks": []}', "holds no list of tasks: export as JSON from Label Studio"),
        (
            '[{"image": "x", "id": 1, "expression": "sad", "annotator": 1, "annotation_id": 2}]',
            "looks like JSON-MIN: export as JSON from Label Studio",
        ),
    ],
)
def test_another_export_is_one_line(text: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as raised:
        read_annotations(text, file=FILE)
    assert "\n" not in str(raised.value)


def test_what_says_nothing_may_be_null() -> None:
    one = annotation("sad", was_cancelled=None)
    empty = {"from_name": None, "type": None, "value": None}
    (entry,) = read(
        task({**one, "result": [*one["result"], empty]}), task(annotations=None)
    ).entries
    assert entry.decision.decision == "sad"
