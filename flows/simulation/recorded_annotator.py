"""An annotator whose answers are known beforehand: from the key of a drawn archive, or from votes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd

from fer_data.annotation.decision_writer import Decision
from fer_data.annotation.votes import clear_labels
from fer_data.core.catalog import output
from fer_data.core.clock import to_utc
from fer_data.core.errors import UserError
from fer_data.core.schema import DROP, KEEP, LABEL, PATH, PIXEL_HASH
from fer_data.core.tables import read_csv, read_table
from fer_data.decision_import.vote_majorities import (
    DEFAULT_AGREEMENT,
    check_agreement,
    find_majorities,
)
from fer_data.decision_import.vote_rows import read_votes
from fer_data.stages.settings import PARAMS_FILE, DataSettings, read_settings
from fer_data.synthetic.planted_errors import TRUE_LABEL

SECONDS_A_FACE = 3
"""Between two decisions."""


@dataclass(frozen=True)
class RecordedAnnotator:
    """Knows the true label of faces, by path."""

    truth: Mapping[str, str]
    """A class, or `drop` for what is no face. Faces that are missing are not decided on."""
    name: str
    """Who the decisions are said to be of."""

    def decide(self, faces: pd.DataFrame, number: int, *, start: datetime) -> list[Decision]:
        """Decides on the first faces that the annotator knows, each image once.

        Args:
            faces: Rows with `path`, `pixel_hash` and `label`, in the order of the queue.
            number: On how many at most.
            start: When the first decision is made.
        """
        known = faces[faces[PATH].isin(list(self.truth))].drop_duplicates(PIXEL_HASH).head(number)
        columns = known[[PATH, PIXEL_HASH, LABEL]].itertuples(index=False)
        decisions: list[Decision] = []
        for place, (path, pixel_hash, label) in enumerate(columns):
            meant = self.truth[path]
            moment = to_utc(start + timedelta(seconds=SECONDS_A_FACE * place))
            decision = KEEP if meant == label else meant
            decisions.append(Decision(pixel_hash, label, decision, self.name, moment))
        return decisions


def annotator_of(
    workspace: Path, *, key: Path | None, votes: Path | None, min_agreement: float | None
) -> RecordedAnnotator:
    """Reads what an annotator would say of the faces of a workspace.

    Args:
        workspace: Where `ingest` has run.
        key: The key that `ferflow sample` wrote beside its archive.
        votes: A file as `ferflow import-decisions --votes` takes it; one of both is given.
        min_agreement: The part of the votes on a face that makes a clear majority; None: the usual one.

    Raises:
        UserError: Both or none is given, or an agreement for a key; or the file cannot be read, or some
            of its rows.
    """
    data = read_settings(DataSettings, "data", file=workspace / PARAMS_FILE)
    manifest = read_table(output("ingest", "manifest.parquet", workspace=workspace))
    if key is not None and votes is None:
        if min_agreement is not None:
            raise UserError("--min-agreement is of votes: expected it with --votes, not with --key")
        planted = _read_key(key, expressions=data.expressions)
        if not planted[PATH].isin(manifest[PATH]).any():
            raise UserError(f"{key} names no face of this workspace: it is of another archive")
        return by_key(planted, manifest)
    if votes is None or key is not None:
        raise UserError("who decides? Give one of --key FILE and --votes FILE")
    min_agreement = DEFAULT_AGREEMENT if min_agreement is None else min_agreement
    check_agreement(min_agreement)
    read = read_votes(votes, expressions=data.expressions)
    if read.refusals:
        first, number = read.refusals[0], len(read.refusals)
        raise UserError(
            f"{number} of {number + len(read.rows)} rows of {votes} are refused, the first in line "
            f"{first.number}: {first.reason}; mend them, or take them out"
        )
    found = find_majorities(
        read.rows,
        manifest,
        min_agreement=min_agreement,
        expressions=data.expressions,
        annotator="votes",
    )
    clear = clear_labels(found.votes(), min_agreement=min_agreement).to_dict()
    return by_votes(clear, manifest, expressions=data.expressions)


def _read_key(key: Path, *, expressions: tuple[str, ...]) -> pd.DataFrame:
    """Reads a key of planted errors, whose classes must be those of the workspace."""
    expected = "expected what `ferflow sample` wrote beside its archive"
    if not key.is_file():
        raise UserError(f"there is no file {key}: {expected}")
    try:
        planted = read_csv(key, dtype=str)
    except UserError:
        raise UserError(f"{key} is no CSV in UTF-8: {expected}") from None
    lacking = {PATH, TRUE_LABEL} - set(planted.columns)
    if lacking:
        raise UserError(
            f"{key} is no key of planted errors: it lacks the column {min(lacking)}, and has "
            f"{', '.join(planted.columns)[:80]}; {expected}"
        )
    strange = ~planted[TRUE_LABEL].isin(["", *expressions])
    if strange.any():
        row = planted[strange].iloc[0]
        raise UserError(
            f"{key}: got the {TRUE_LABEL} {row[TRUE_LABEL]!r} of {row[PATH]}, expected one of "
            f"{', '.join(expressions)}, or nothing where there is no face"
        )
    return planted


def by_key(planted: pd.DataFrame, faces: pd.DataFrame) -> RecordedAnnotator:
    """One who knows the key of a drawn archive, and so all of its faces.

    Args:
        planted: The key: `path` and `true_label` of each planted error, empty where there is no face.
        faces: `path` and `label` of all faces.
    """
    truth = dict(zip(faces[PATH], faces[LABEL], strict=True))
    errors = planted[planted[PATH].isin(list(truth))]
    truth |= {
        path: label or DROP
        for path, label in zip(errors[PATH], errors[TRUE_LABEL].fillna(""), strict=True)
    }
    return RecordedAnnotator(truth, "drawn annotator")


def by_votes(
    clear: Mapping[str, str], faces: pd.DataFrame, *, expressions: Iterable[str]
) -> RecordedAnnotator:
    """One who knows what clear majorities of votes say.

    Args:
        clear: The meaning (a class, `unknown` or `drop`) by pixel hash, as `clear_labels` returns it.
        faces: `path` and `pixel_hash` of all faces.
        expressions: The classes; a majority for another meaning is no decision.
    """
    allowed = {*expressions, DROP}
    pairs = zip(faces[PATH], faces[PIXEL_HASH].map(dict(clear)), strict=True)
    return RecordedAnnotator(
        {path: meaning for path, meaning in pairs if meaning in allowed}, "votes"
    )
