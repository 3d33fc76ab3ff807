"""Imports decisions that were made elsewhere, all of a file or none of it."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from fer_data.annotation.append_lines import locked
from fer_data.annotation.apply_decisions import in_counts, retired_counts
from fer_data.annotation.decision_log import checked_rows
from fer_data.annotation.decision_writer import lines_of
from fer_data.annotation.votes import merge_votes, read_kept_votes, write_kept_votes
from fer_data.core.catalog import dependency, output
from fer_data.core.errors import UserError
from fer_data.core.schema import ORIGINAL_SPLIT
from fer_data.core.tables import original_splits, read_table
from fer_data.decision_import.import_plan import Plan, plan_import, read_file
from fer_data.decision_import.import_rows import Reading, Refusal
from fer_data.decision_import.vote_majorities import (
    Majorities,
    check_agreement,
    find_majorities,
    in_words,
    undecided_yet,
)
from fer_data.decision_import.vote_rows import VoteFile, read_votes
from fer_data.stages.settings import PARAMS_FILE, DataSettings, read_settings
from flows.commands.testing_votes import accuracy_by_votes


def import_decisions(
    file: Path,
    *,
    partial: bool,
    annotator: str | None,
    min_agreement: float | None = None,
    dry_run: bool = False,
    folder: Path = Path(),
) -> Iterator[str]:
    """Appends the decisions of a file to `data/relabels.csv`, and keeps votes in `data/votes.csv`.

    Args:
        file: Our own CSV, Label Studio's JSON export, or votes.
        partial: Whether the good rows of a file with bad ones are taken.
        annotator: Who decided, where the file does not say.
        min_agreement: The part of the votes on a face that makes a clear majority; None: the file holds
            decisions.
        dry_run: Whether to say what would be done, and no more.
        folder: The workspace.

    Yields:
        Each refused row with its reason, each decision that is replaced, and what was done, in words.
        Of votes, how many decide and how many do not, and the accuracy of each model on Testing faces
        whose votes are clear.

    Raises:
        UserError: The file, or what stands already, cannot be read; or a row is refused and `partial`
            is not set. Nothing is appended then.
    """
    data = read_settings(DataSettings, "data", file=folder / PARAMS_FILE)
    expressions = data.known_expressions
    relabels = dependency("rebalance", "relabels.csv", workspace=folder)
    kept = dependency("rebalance", "votes.csv", workspace=folder)
    # What the person named is read first: it may be wrong, whatever the workspace holds yet.
    read: VoteFile | None = None
    if min_agreement is None:
        reading = read_file(file)
    else:
        check_agreement(min_agreement)
        read = read_votes(file, expressions=data.expressions)
        reading = Reading("line", refusals=read.refusals)
        if read.refusals and not (partial and read.rows):
            yield from _in_words(file, reading.unit, read.refusals)
            raise _refused(file, len(read.refusals), len(read.refusals) + len(read.rows))
    manifest = read_table(output("ingest", "manifest.parquet", workspace=folder))
    assignments = output("split", "assignments.parquet", workspace=folder)
    if assignments.exists():  # which may have drawn Testing faces
        splits = original_splits(manifest, read_table(assignments))
        manifest = manifest.assign(**{ORIGINAL_SPLIT: splits})
    votes: Majorities | None = None
    if min_agreement is not None and read is not None:
        votes = find_majorities(
            read.rows,
            manifest,
            min_agreement=min_agreement,
            expressions=data.expressions,
            annotator=annotator or f"votes: {file.name}",
        )
        reading.entries = votes.entries
    num_rows = len(reading.entries) + len(reading.refusals)
    with locked(
        relabels
    ) as held:  # what a review app writes meanwhile is not planned for, so it waits
        made = checked_rows(held.read(), file=relabels, expressions=expressions)
        decided: dict[str, bool] = {}
        if votes is not None:
            reading.entries, decided = undecided_yet(
                reading.entries, made, data.retired_expressions
            )
        plan = plan_import(reading, made, manifest, expressions=expressions, annotator=annotator)
        if plan.decisions and (partial or not plan.refusals) and not dry_run:
            held.append(lines_of(plan.decisions, expressions=expressions))
        if votes is not None and (partial or not plan.refusals) and not dry_run:
            _keep(votes, kept)
    yield from _in_words(file, reading.unit, plan.refusals)
    if plan.refusals and not partial:
        raise _refused(file, len(plan.refusals), num_rows)
    if votes is not None:
        yield from in_words(votes, decided)
        yield from accuracy_by_votes(votes, folder=folder)
        if not dry_run:
            yield f"the votes on {len(votes.counts):,} faces -> {kept}"
    yield from plan.changes
    lines = pd.DataFrame([asdict(one) for one in plan.decisions], columns=made.columns, dtype=str)
    retired = retired_counts(lines, data.retired_expressions)
    if retired:
        yield f"written down, but not applied, since the expression is retired: {in_counts(retired)}"
    done = f"{len(plan.decisions)} decisions -> {relabels}{_left_out(plan, reading.num_skipped)}"
    yield f"would be done, without --dry-run: {done}" if dry_run else done


def _in_words(file: Path, unit: str, refusals: Iterable[Refusal]) -> Iterator[str]:
    """A line for each refused row."""
    for refusal in refusals:
        yield f"{file}, {unit} {refusal.number}: {refusal.reason}"


def _refused(file: Path, number: int, of: int) -> UserError:
    others = "" if number == of else ", or take the others with --partial"
    return UserError(
        f"{number} of {of} rows of {file} are refused, so nothing is imported: mend them{others}"
    )


def _keep(votes: Majorities, file: Path) -> None:
    """Adds the votes to those kept; later votes on a face take the place of earlier ones."""
    earlier = read_kept_votes(file) if file.exists() else pd.DataFrame()
    write_kept_votes(merge_votes(earlier, votes.votes()), file)


def _left_out(plan: Plan, num_skipped: int) -> str:
    counts = {
        "stand already": plan.num_standing,
        "replaced within the file": plan.num_replaced,
        "skipped by people": num_skipped,
        "refused": len(plan.refusals),
    }
    words = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    return f" ({words})" if words else ""
