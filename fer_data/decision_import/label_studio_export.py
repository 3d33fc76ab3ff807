"""Reads the annotations of a Label Studio JSON export.

The format: https://labelstud.io/guide/export#Label-Studio-JSON-format-of-annotated-tasks
"""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, ValidationError

from fer_data.annotation.decision_writer import Decision
from fer_data.core.clock import to_utc
from fer_data.core.errors import UserError
from fer_data.decision_import.import_rows import Entry, Reading, Refusal
from fer_data.review_queue.label_studio_tasks import CHOICES, CHOICES_TYPE

_JSON_MIN = {"annotator", "annotation_id"}
"""Keys of a task in the export `JSON-MIN`, which does not say who skipped what."""


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("the time is out of range in UTC") from None


class _Part(BaseModel):
    """A part of the export; Label Studio adds keys from release to release.

    Whatever says nothing may be null, such as the e-mail address of an account that was deleted.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class _Data(_Part):
    pixel_hash: str
    given_label: str


class _Person(_Part):
    id: int
    email: str | None = None


class _Result(_Part):
    from_name: str | None = None
    type: str | None = None
    value: dict[str, Any] | None = None


class _Annotation(_Part):
    result: list[_Result] | None
    completed_by: int | _Person | None = None
    was_cancelled: bool | None = None
    updated_at: Annotated[AwareDatetime, AfterValidator(_in_utc)]


class _Task(_Part):
    data: _Data
    annotations: list[_Annotation] | None = None


def read_annotations(text: str, *, file: Path) -> Reading:
    """Reads Label Studio's JSON export.

    Args:
        text: The content.
        file: Where it comes from, for the messages.

    Returns:
        An entry for each person's last answer on a task, the earlier answer first. A person is the
        annotator by e-mail address, or `Label Studio user N`. A task that people answer differently
        is refused.

    Raises:
        UserError: It is not JSON, or is another of Label Studio's formats.
    """
    try:
        tasks = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{file} is not JSON: {str(error)[:200]}") from None
    if not isinstance(tasks, list):
        raise UserError(f"{file} holds no list of tasks: export as JSON from Label Studio")
    if any(isinstance(task, dict) and task.keys() & _JSON_MIN for task in tasks):
        raise UserError(f"{file} looks like JSON-MIN: export as JSON from Label Studio")
    reading = Reading("task")
    for number, task in enumerate(tasks, start=1):
        try:
            # Strict validation of JSON lets a text stand for a time; of Python objects it does not.
            _read_task(_Task.model_validate_json(json.dumps(task)), number, reading)
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(map(str, first["loc"])) or "the task"
            reason = f"{key}: {first['msg'][0].lower()}{first['msg'][1:]}"
            reading.refusals.append(Refusal(number, " ".join(reason.split())))
    return reading


def _read_task(task: _Task, number: int, reading: Reading) -> None:
    """Adds the annotations of a task to what was read."""
    answered = [one for one in task.annotations or () if not one.was_cancelled]
    reading.num_skipped += bool(task.annotations) and not answered
    last: dict[str, tuple[_Annotation, str]] = {}
    for annotation in sorted(answered, key=lambda one: one.updated_at):
        choices = _choices(annotation)
        if len(choices) != 1:
            reason = f"got {len(choices)} answers to '{CHOICES}', expected one"
            reading.refusals.append(Refusal(number, reason))
            return
        last[_name(annotation)] = (annotation, choices[0])
    if len({answer for _, answer in last.values()}) > 1:
        words = ", ".join(f"{name}: {answer}" for name, (_, answer) in last.items())
        reason = f"people disagree ({words[:200]!r}): settle it in Label Studio"
        reading.refusals.append(Refusal(number, reason))
        return
    for name, (annotation, answer) in last.items():
        moment = to_utc(annotation.updated_at)
        decision = Decision(task.data.pixel_hash, task.data.given_label, answer, name, moment)
        named = isinstance(annotation.completed_by, _Person) and bool(annotation.completed_by.email)
        reading.entries.append(Entry(number, decision, named=named))


def _choices(annotation: _Annotation) -> list[str]:
    """What a person chose."""
    chosen = [
        (one.value or {}).get("choices")
        for one in annotation.result or ()
        if one.from_name == CHOICES and one.type == CHOICES_TYPE
    ]
    return [str(choice) for choices in chosen if isinstance(choices, list) for choice in choices]


def _name(annotation: _Annotation) -> str:
    person = annotation.completed_by
    if isinstance(person, _Person):
        return person.email or f"Label Studio user {person.id}"
    return f"Label Studio user {person or 'unknown'}"
