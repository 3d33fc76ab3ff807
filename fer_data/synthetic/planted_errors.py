"""Plants known errors among the faces of a drawn archive: wrong labels, copies, leaks, broken files.

No member has two errors, and the face that a copy was made from has none, so that each error is found
by one stage alone.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from fer_data.core.schema import LABEL, PATH, TESTING, TRAINING

ERROR: Final = "error"
TRUE_LABEL: Final = "true_label"
PARTNER: Final = "partner"
ERROR_COLUMNS: Final = (PATH, ERROR, LABEL, TRUE_LABEL, PARTNER)

WRONG_LABEL: Final = "wrong label"
"""A Training face in another expression's folder."""
DUPLICATE: Final = "duplicate"
"""The bytes of another face of the same folder and class."""
LEAK: Final = "leak"
"""A Testing face with the bytes of a Training face of the same class."""
CONFLICTING_DUPLICATE: Final = "conflicting duplicate"
"""A Training face with the bytes of a Training face of another class, whose label is the true one."""
BLACK: Final = "black"
"""A Training image without a face, and a duplicate of the others."""
TRUNCATED: Final = "truncated"
"""A Training image whose bytes end in the middle."""
NOT_A_IMAGE: Final = "not an image"
"""A text with an image's name."""

WRONG_LABEL_FRACTION: Final = 0.05
"""Of the Training faces; half of them by `CONFUSIONS`, half at random."""
CONFUSIONS: Final = {"fear": "surprise", "sad": "neutral"}
"""An expression, and the one that annotators take it for."""
FRACTIONS: Final = {DUPLICATE: 0.02, LEAK: 0.015, CONFLICTING_DUPLICATE: 0.004}
"""Copies, of all faces."""
MIN_COPIES: Final = 2
"""Of each kind."""
NUM_BLACK: Final = 4
BLACK_LABEL: Final = "happy"
"""Where the black images and the unreadable members are."""


@dataclass
class Member:
    """A file of the archive, yet to be written."""

    path: str
    folder: str
    """Training or Testing, out of `schema.ORIGINAL_SPLITS`."""
    label: str
    """The expression whose folder it lies in."""
    drawn: str
    """The expression to draw, which is the true label; empty for none."""
    error: str = ""
    """What is planted here; empty for nothing."""
    original: "Member | None" = None
    """What it copies, if it is a copy."""


class _Free:
    """The members that have no error yet, in random order, by folder and class."""

    def __init__(self, members: list[Member], generator: np.random.Generator) -> None:
        self._generator = generator
        self._cells: dict[tuple[str, str], list[Member]] = {}
        for number in generator.permutation(len(members)):
            member = members[number]
            self._cells.setdefault((member.folder, member.label), []).append(member)

    def take(self, folder: str, label: str) -> Member:
        """One member of this folder and class."""
        return self._cells[folder, label].pop()

    def some_cell(self, *original_splits: str, but: str = "", at_least: int = 1) -> tuple[str, str]:
        """A folder and a class, each as likely as it is large, of another label than `but`."""
        cells = [
            cell
            for cell, members in self._cells.items()
            if cell[0] in original_splits and cell[1] != but and len(members) >= at_least
        ]
        sizes = np.array([len(self._cells[cell]) for cell in cells])
        return cells[self._generator.choice(len(cells), p=sizes / sizes.sum())]


def plant_errors(members: list[Member], generator: np.random.Generator) -> None:
    """Plants errors in some members, each of which gets one at most.

    Args:
        members: All members; those that have an error already keep it.
        generator: Decides which members get which error.
    """
    correct = [member for member in members if not member.error]
    free = _Free(correct, generator)
    copies = {
        error: max(MIN_COPIES, round(part * len(correct))) for error, part in FRACTIONS.items()
    }
    # What needs a given folder and class takes its members first.
    black = [free.take(TRAINING, BLACK_LABEL) for _ in range(NUM_BLACK)]
    for member in black:
        member.error, member.drawn = BLACK, ""
        member.original = None if member is black[0] else black[0]
    for _ in range(copies[LEAK]):
        folder, label = free.some_cell(TESTING)
        _copy(free.take(TRAINING, label), free.take(folder, label), LEAK)
    _plant_wrong_labels(correct, free, generator)
    for _ in range(copies[DUPLICATE]):
        cell = free.some_cell(TRAINING, TESTING, at_least=2)
        _copy(free.take(*cell), free.take(*cell), DUPLICATE)
    for _ in range(copies[CONFLICTING_DUPLICATE]):
        original = free.take(*free.some_cell(TRAINING))
        other = free.take(*free.some_cell(TRAINING, but=original.label))
        _copy(original, other, CONFLICTING_DUPLICATE)


def _plant_wrong_labels(correct: list[Member], free: _Free, generator: np.random.Generator) -> None:
    classes = sorted({member.label for member in correct})
    num_training = sum(member.folder == TRAINING for member in correct)
    confused = list(CONFUSIONS.items())
    num_wrong = max(2 * len(confused), round(WRONG_LABEL_FRACTION * num_training))
    for number in range(num_wrong):
        if number < num_wrong // 2:
            drawn, label = confused[number % len(confused)]
            member = free.take(TRAINING, label)
        else:
            member = free.take(*free.some_cell(TRAINING))
            drawn = str(generator.choice([name for name in classes if name != member.label]))
        member.error, member.drawn = WRONG_LABEL, drawn


def _copy(original: Member, copy: Member, error: str) -> None:
    copy.error, copy.drawn, copy.original = error, original.drawn, original


def error_table(members: list[Member]) -> pd.DataFrame:
    """The key to the archive: one row a planted error, with the columns `ERROR_COLUMNS`."""
    rows = [
        (one.path, one.error, one.label, one.drawn, one.original.path if one.original else "")
        for one in members
        if one.error
    ]
    return pd.DataFrame(rows, columns=list(ERROR_COLUMNS))
