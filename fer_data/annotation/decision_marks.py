"""Marks an output with the decisions it was made from, to tell how many came later.

DVC's own record does not suffice: it hashes a stage's inputs after the command, so that an edit in that
last moment counts as applied.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

MARK = "decisions"
"""The key of a mark, in JSON and in the metadata of Parquet files."""


def mark_of(file: Path) -> dict[str, Any]:
    """The mark of a decision log: its SHA-256, and the number of its decisions.

    Args:
        file: The decisions, CSV with one line a decision; a missing one has none.
    """
    data = file.read_bytes() if file.is_file() else b""
    lines = [line for line in data.splitlines() if line.strip(b" ,")]
    return {"sha256": hashlib.sha256(data).hexdigest(), "lines": max(0, len(lines) - 1)}


def in_words(mark: Mapping[str, Any] | None, file: Path) -> str:
    """Describes the decisions that a mark lacks: `3 decisions of FILE are not yet applied`.

    Args:
        mark: As `mark_of` gave it when they were applied; None if unknown.
        file: The decisions as they are.

    Returns:
        The words; empty if there is no difference, or no file.
    """
    if mark is None or not file.is_file():
        return ""
    now = mark_of(file)
    if now["sha256"] == mark["sha256"]:
        return ""
    number = now["lines"] - mark["lines"]
    if number <= 0:
        return f"{file} was edited since it was applied"
    noun = "decision of {} is" if number == 1 else "decisions of {} are"
    return f"{number} {noun.format(file)} not yet applied"
