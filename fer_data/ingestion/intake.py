"""What came out of an archive: its faces and refused members, their gate and their table."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from fer_data.core.errors import UserError
from fer_data.core.schema import (
    FACE_SIZE,
    HEIGHT,
    LABEL,
    MODE,
    ORIGINAL_SPLIT,
    PATH,
    REASON,
    TESTING,
    TRAINING,
    WIDTH,
)


@dataclass(frozen=True)
class Intake:
    """The faces of an archive, and its refused members."""

    manifest: pd.DataFrame
    """N rows, one a face, sorted by path, with the columns `schema.MANIFEST_COLUMNS`."""
    pixels: np.ndarray
    """uint8 (N, 48, 48), row for row."""
    rejected: pd.DataFrame
    """One row a refused member, sorted by path: `path` and `reason`, which reads `kind: details`."""
    num_skipped: int
    """Number of files that are a file manager's junk."""
    metadata: dict[str, str] = field(default_factory=dict)
    """What the manifest holds of where the faces come from."""
    original_splits: tuple[str, ...] = (TRAINING, TESTING)
    """Those that the archive has a folder of, Training among them."""


def check_intake(
    intake: Intake,
    *,
    archive: Path,
    expressions: tuple[str, ...],
    max_rejected_fraction: float,
    rejected_file: Path,
) -> None:
    """Stops at an archive with too many refused members, or with too little to learn from.

    Args:
        intake: What came out of the archive.
        archive: Where it came from.
        expressions: The classes, each of which must have a face in each folder that there is.
        max_rejected_fraction: The part of the members, junk aside, that may be refused.
        rejected_file: Where the list of the refused is.

    Raises:
        UserError: Too many members were refused; or the archive, one of its folders, or a class in one
            of them has no readable face.
    """
    num_taken, num_rejected = len(intake.manifest), len(intake.rejected)
    num_members = num_taken + num_rejected
    why = f"{num_rejected} of {num_members} members were refused"
    if num_rejected:
        why += f" ({_frequent(intake.rejected)}; all of them in {rejected_file})"
    if not num_taken:
        raise UserError(f"{archive} has no readable face in Training/CLASS or Testing/CLASS: {why}")
    if num_rejected > max_rejected_fraction * num_members:
        raise UserError(
            f"{archive}: {why}, more than `ingest.max_rejected_fraction` "
            f"({max_rejected_fraction:g}) allows"
        )
    taken = set(zip(intake.manifest[ORIGINAL_SPLIT], intake.manifest[LABEL], strict=True))
    for original_split in intake.original_splits:
        missing = [
            expression for expression in expressions if (original_split, expression) not in taken
        ]
        if missing:
            of = "any class" if len(missing) == len(expressions) else ", ".join(missing)
            raise UserError(
                f"{archive} has no readable face of {of} in {original_split.title()}: {why}"
            )


def _kinds(rejected: pd.DataFrame) -> list[tuple[str, int]]:
    """The kinds of reason with their counts, the most frequent first, then by name."""
    counts = Counter(reason.split(":")[0] for reason in rejected[REASON])
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _frequent(rejected: pd.DataFrame) -> str:
    """The most frequent kinds of reason, and the first member that was refused for them."""
    kinds = _kinds(rejected)
    shown = ", ".join(f"{count} {kind}" for kind, count in kinds[:3])
    example = rejected[rejected[REASON].str.startswith(f"{kinds[0][0]}:")].iloc[0]
    return f"{shown}; for example {example[PATH]!r}, {example[REASON]}"


def intake_table(intake: Intake, expressions: tuple[str, ...]) -> str:
    """A table in several lines: taken by original split and class, changed, refused, skipped."""
    counts = pd.crosstab(intake.manifest[ORIGINAL_SPLIT], intake.manifest[LABEL])
    counts = counts.reindex(
        index=list(intake.original_splits), columns=list(expressions), fill_value=0
    )
    counts.loc["taken"] = counts.sum()
    counts["all"] = counts.sum(axis=1)
    lines = [counts.rename_axis(index=None, columns=None).to_string()]
    taken = intake.manifest
    resized = int(((taken[WIDTH] != FACE_SIZE) | (taken[HEIGHT] != FACE_SIZE)).sum())
    lines += [f"resized {resized:7}  to 48x48, by one antialiased step"] if resized else []
    colors = int((~taken[MODE].isin(["L", "1"])).sum())
    lines += [f"grayed  {colors:7}  of color (ITU-R 601-2 luma)"] if colors else []
    lines += [f"refused {count:7}  {kind}" for kind, count in _kinds(intake.rejected)]
    lines += [f"skipped {intake.num_skipped:7}  __MACOSX, .DS_Store, ._*, Thumbs.db, desktop.ini"]
    return "\n".join(lines)
