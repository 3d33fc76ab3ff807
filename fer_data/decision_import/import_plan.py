"""Plans an import of decisions: checks them against the archive and the decisions that stand."""

from collections.abc import Iterable
from dataclasses import astuple, dataclass, field, replace
from pathlib import Path

import pandas as pd

from fer_data.annotation.decision_log import error_of_row
from fer_data.annotation.decision_rows import normalised
from fer_data.annotation.decision_writer import Decision
from fer_data.annotation.latest_decisions import effective_times, latest_decisions, moment_of
from fer_data.core.clock import now
from fer_data.core.schema import (
    KEEP,
    LABEL,
    ORIGINAL_SPLIT,
    PIXEL_HASH,
    TESTING,
    UNDO,
)
from fer_data.decision_import.import_conflicts import (
    FINAL,
    TIME,
    Made,
    in_seconds,
    standing_on,
    take_back,
    told,
    with_lines,
)
from fer_data.decision_import.import_rows import (
    Entry,
    Reading,
    Refusal,
    read_csv_entries,
    read_text,
)
from fer_data.decision_import.label_studio_export import read_annotations


@dataclass
class Plan:
    """The plan of an import."""

    decisions: list[Decision] = field(default_factory=list)
    """What to append."""
    changes: list[str] = field(default_factory=list)
    """In words, which of these replace a decision that stands."""
    refusals: list[Refusal] = field(default_factory=list)
    """The rows that cannot be taken, in the file's order."""
    num_standing: int = 0
    """Rows that say what stands already."""
    num_replaced: int = 0
    """Rows that later rows of the file replace or undo, and the undos."""


def read_file(file: Path) -> Reading:
    """Reads our own CSV, or Label Studio's JSON export.

    Raises:
        UserError: It is missing, or is neither.
    """
    text = read_text(file)
    is_json = text.lstrip().startswith(("[", "{"))
    return read_annotations(text, file=file) if is_json else read_csv_entries(text, file=file)


def plan_import(
    reading: Reading,
    decision_log: pd.DataFrame,
    manifest: pd.DataFrame,
    *,
    expressions: tuple[str, ...],
    annotator: str | None = None,
) -> Plan:
    """Plans which decisions of a file to append.

    Within the file the last decision on a face wins, and `undo` takes its annotator's one before back,
    as in `data/relabels.csv`. What it leaves is appended, unless it stands already; a decision that
    stands is replaced by a later one, never by an earlier one, and taken back where the file takes this
    very decision back. `keep` and the label that it keeps are
    the same decision, on whichever copy of a face.

    Args:
        reading: As `read_file` returns it.
        decision_log: The decisions made so far, as `decision_log.read_decisions` returns them.
        manifest: The archive's faces: `pixel_hash`, `original_split` and `label`.
        expressions: The classes that a decision may name.
        annotator: Who decided, where the file does not say.

    Returns:
        The plan, with nothing written.
    """
    training = manifest[manifest[ORIGINAL_SPLIT] != TESTING]
    labels = training.groupby(PIXEL_HASH)[LABEL].agg(set).to_dict()
    testing = set(manifest[PIXEL_HASH]) - set(labels)
    plan = Plan(refusals=list(reading.refusals))
    left: dict[str, list[Entry]] = {}
    undone: list[tuple[Decision, Decision]] = []
    for entry in _in_order(_completed(raw, annotator) for raw in reading.entries):
        decision = entry.decision
        before = left.setdefault(decision.pixel_hash, [])
        reason = _reason(decision, labels, testing, expressions)
        own = [one for one in before if one.decision.annotator == decision.annotator]
        if not reason and decision.decision == UNDO and not own:
            reason = (
                "undo takes back a decision of its annotator in the same file, and there is none on "
                "this face"
            )
        if reason:
            plan.refusals.append(Refusal(entry.number, reason))
        elif decision.decision == UNDO:
            before.remove(own[-1])
            undone.append((own[-1].decision, decision))
            plan.num_replaced += 2
        else:
            before.append(entry)
    taken_back, words = take_back(undone, decision_log)
    plan.changes += words
    plan.num_replaced -= len(taken_back)
    decision_log = with_lines(decision_log, taken_back)
    made = standing_on(decision_log)
    for entries in left.values():
        plan.num_replaced += max(len(entries) - 1, 0)
        for entry in entries[-1:]:
            _add(plan, entry, made.get(entry.decision.pixel_hash))
    _refuse_undone(plan, decision_log, left)
    plan.changes += [
        f"{one.pixel_hash[:12]}: {one.annotator} decides '{one.decision}' where "
        f"{told(made[one.pixel_hash])}"
        for one in plan.decisions
        if one.pixel_hash in made
    ]
    plan.decisions[:0] = taken_back
    plan.refusals.sort(key=lambda one: one.number)
    return plan


def _refuse_undone(plan: Plan, decision_log: pd.DataFrame, left: dict[str, list[Entry]]) -> None:
    """Refuses what would not stand, since its annotator took a decision on the face back later."""
    # By place, since the very line that was taken back may come once more.
    standing = set(latest_decisions(with_lines(decision_log, plan.decisions)).index)
    for place, decision in enumerate(list(plan.decisions), start=len(decision_log)):
        if place not in standing:
            reason = f"{decision.annotator} took a decision on this face back since"
            plan.refusals.append(Refusal(left[decision.pixel_hash][-1].number, reason))
            plan.decisions.remove(decision)


def _in_order(entries: Iterable[Entry]) -> list[Entry]:
    """By time, and by line where times are equal; what has no good time goes by its line."""
    listed = list(entries)
    times = effective_times(entry.decision.decided_at for entry in listed)
    return [listed[place] for place in sorted(range(len(times)), key=times.__getitem__)]


def _completed(entry: Entry, annotator: str | None) -> Entry:
    """The entry with what the file may leave out: who decided, and when."""
    decision = entry.decision
    if annotator and not entry.named:
        decision = replace(decision, annotator=annotator)
    decision = Decision(*normalised(list(astuple(decision))))
    text = decision.decided_at
    moment = (in_seconds(text) or text) if text else now()
    return replace(entry, decision=replace(decision, decided_at=moment))


def _reason(
    decision: Decision,
    labels: dict[str, set[str]],
    testing: set[str],
    expressions: tuple[str, ...],
) -> str:
    """Why a decision cannot be taken, in words; empty if it can."""
    reason = error_of_row(list(astuple(decision)), expressions)
    if reason:
        return reason
    face = decision.pixel_hash
    if face in testing:
        return f"face {face[:12]} is in Testing alone, whose labels are never changed"
    if face not in labels:
        return f"the archive holds no face {face[:12]}: was it another archive's?"
    if decision.given_label not in labels[face]:
        known = " or ".join(sorted(labels[face]))
        return f"got the given label {decision.given_label!r}, the archive says {known}"
    if not decision.annotator:
        return "no annotator is named: name who decided with --annotator"
    if in_seconds(decision.decided_at) != decision.decided_at:
        return f"got the time {decision.decided_at!r}, expected such as 2026-01-31T10:00:00Z"
    return ""


def _add(plan: Plan, entry: Entry, made: Made | None) -> None:
    """Adds a good entry to the plan, compared with the decision that stands on its face, if any."""
    decision = entry.decision
    if made is not None:
        if made[FINAL] == (
            decision.given_label if decision.decision == KEEP else decision.decision
        ):
            plan.num_standing += 1
            return
        moment = moment_of(decision.decided_at)
        if moment is None or moment.timestamp() <= made[TIME]:
            reason = f"no later than what stands ({told(made)}): this is of {decision.decided_at}"
            plan.refusals.append(Refusal(entry.number, reason))
            return
    plan.decisions.append(decision)
