"""Turns votes on images into decisions, where a clear majority agrees."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from fer_data.annotation.decision_writer import Decision
from fer_data.annotation.votes import UNKNOWN
from fer_data.core.clock import now
from fer_data.core.errors import UserError
from fer_data.core.schema import DROP, KEEP, LABEL, ORIGINAL_SPLIT, PATH, PIXEL_HASH, TESTING
from fer_data.decision_import.import_conflicts import FINAL, standing_on
from fer_data.decision_import.import_rows import Entry
from fer_data.decision_import.vote_rows import VoteRow

DEFAULT_AGREEMENT = 0.6
"""The part of the votes that makes a majority clear."""


@dataclass
class Majorities:
    """What the votes on a file's images come to, a face (distinct pixels) each."""

    num_matched: int = 0
    """Rows of an image of the archive."""
    num_elsewhere: int = 0
    """Rows of no image of the archive, or of a name that several have."""
    entries: list[Entry] = field(default_factory=list)
    """A decision on each face outside of Testing with a clear majority that can be one."""
    undecided: Counter[str] = field(default_factory=Counter)
    """The other faces outside of Testing, by reason."""
    num_testing: int = 0
    """Faces of Testing with votes."""
    testing: dict[str, str] = field(default_factory=dict)
    """The classes of those with a clear majority for one of the workspace, by pixel hash."""
    counts: dict[str, Counter[str]] = field(default_factory=dict)
    """The votes on each face, by meaning."""

    def votes(self) -> pd.DataFrame:
        """The votes as a workspace keeps them: int64, by pixel hash, a column a meaning."""
        return pd.DataFrame.from_dict(self.counts, orient="index").fillna(0).astype(np.int64)


def check_agreement(min_agreement: float) -> None:
    """Refuses what makes no majority: a part of the votes at or below a half, or above all.

    Raises:
        UserError: It is not in (0.5, 1].
    """
    if not 0.5 < min_agreement <= 1:
        raise UserError(
            f"got the agreement {min_agreement:g}, expected more than 0.5, so that one class alone can "
            "reach it, and at most 1"
        )


def find_majorities(
    rows: Iterable[VoteRow],
    manifest: pd.DataFrame,
    *,
    min_agreement: float,
    expressions: Collection[str],
    annotator: str,
) -> Majorities:
    """Finds the clear majorities.

    The votes on images with equal pixels are added, since a decision holds for all of them. A face that
    Testing holds too counts as one of Testing.

    Args:
        rows: As `read_votes` returns them.
        manifest: The archive's faces: `path`, `pixel_hash`, `original_split` and `label`.
        min_agreement: The part of all votes on a face, those for unknown too, that makes a majority
            clear: more than 0.5, at most 1.
        expressions: The workspace's classes.
        annotator: Who decided.

    Raises:
        UserError: No row is of an image of the archive.
    """
    found = Majorities()
    hashes = _hashes_by_key(manifest)
    tallies: dict[str, tuple[int, Counter[str]]] = {}
    asked = ""
    for row in rows:
        face = next((hashes[key] for key in row.keys if key in hashes), "")
        if not face:
            found.num_elsewhere += 1
            asked = asked or "".join(row.keys[:1])
            continue
        found.num_matched += 1
        tallies.setdefault(face, (row.number, Counter()))[1].update(row.counts)
    if not found.num_matched:
        raise UserError(
            f"none of the {found.num_elsewhere} rows names a face of this archive: got {asked!r}, "
            f"expected such as {manifest[PATH].iloc[0]}, its file name alone, or its pixel hash"
        )
    is_testing = manifest[ORIGINAL_SPLIT] == TESTING
    testing = set(manifest.loc[is_testing, PIXEL_HASH])
    labels = manifest[~is_testing].groupby(PIXEL_HASH)[LABEL].agg(set).to_dict()
    moment = now()
    found.counts = {face: counts for face, (_, counts) in tallies.items() if counts.total()}
    for face, (number, counts) in tallies.items():
        meaning, votes = max(counts.items(), key=lambda item: item[1])
        total = counts.total()
        is_clear = total > 0 and votes / total >= min_agreement
        if face in testing:
            found.num_testing += 1
            if is_clear and meaning in expressions:
                found.testing[face] = meaning
        elif not is_clear:
            found.undecided[f"below {min_agreement:g}"] += 1
        elif meaning == UNKNOWN:
            found.undecided["for unknown"] += 1
        elif meaning != DROP and meaning not in expressions:
            found.undecided[f"for {meaning} (no class here)"] += 1
        else:
            is_right = meaning in labels[face]
            given = meaning if is_right else min(labels[face])
            decision = Decision(
                *(face, given, KEEP if is_right else meaning, annotator, moment),
                f"{votes} of {total}",
            )
            found.entries.append(Entry(number, decision, named=True))
    return found


def undecided_yet(
    entries: list[Entry], decision_log: pd.DataFrame, retired: Collection[str]
) -> tuple[list[Entry], dict[str, bool]]:
    """Leaves out faces on which a decision stands: votes never replace it.

    Args:
        entries: What votes decide.
        decision_log: The decisions made so far.
        retired: `data.retired_expressions`; a decision for one of them does not apply, and so is none.

    Returns:
        The entries on other faces, and of each face left out whether the votes say what stands.
    """
    standing = standing_on(decision_log)
    left: list[Entry] = []
    decided: dict[str, bool] = {}
    for entry in entries:
        one = entry.decision
        final = standing.get(one.pixel_hash, {}).get(FINAL)
        if final is None or final in retired:
            left.append(entry)
        else:
            meant = one.given_label if one.decision == KEEP else one.decision
            decided[one.pixel_hash] = final == meant
    return left, decided


def in_words(votes: Majorities, decided: Mapping[str, bool]) -> Iterator[str]:
    """Says how many faces the votes decide, and how many not and why.

    Args:
        votes: The majorities.
        decided: As `undecided_yet` returns it.
    """
    num_rows = votes.num_matched + votes.num_elsewhere
    elsewhere = f" ({votes.num_elsewhere:,} are not)" if votes.num_elsewhere else ""
    yield f"{votes.num_matched:,} of {num_rows:,} rows are of faces of this archive{elsewhere}"
    kinds = Counter(
        entry.decision.decision if entry.decision.decision in (KEEP, DROP) else "another expression"
        for entry in votes.entries
    )
    num_faces = len(votes.entries) + votes.undecided.total()
    yield _counted(
        f"{len(votes.entries):,} of {num_faces:,} faces outside of Testing are clear", kinds
    )
    if votes.undecided:
        yield _counted(f"{votes.undecided.total():,} stay undecided", votes.undecided)
    if decided:
        others = sum(not agrees for agrees in decided.values())
        yield (
            f"{len(decided):,} of the clear ones were decided already and stay as they are, "
            f"{others:,} of them otherwise than by the votes"
        )


def _counted(text: str, counts: Counter[str]) -> str:
    words = ", ".join(f"{count:,} {name}" for name, count in counts.most_common())
    return f"{text}: {words}" if words else text


def _hashes_by_key(manifest: pd.DataFrame) -> dict[str, str]:
    """The pixel hash by all that names a face: itself, the path, the name where no other face has it."""
    names = manifest.assign(name=manifest[PATH].str.rpartition("/")[2])[["name", PIXEL_HASH]]
    alone = names.drop_duplicates().drop_duplicates("name", keep=False)
    paths = dict(zip(manifest[PATH], manifest[PIXEL_HASH], strict=True))
    by_name = dict(zip(alone["name"], alone[PIXEL_HASH], strict=True))
    return by_name | paths | {face: face for face in manifest[PIXEL_HASH]}
