"""Deals the review queue out to several people: a part for each, and some faces for all of them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fer_data.core.errors import UserError
from fer_data.core.schema import PIXEL_HASH
from fer_data.review_app.queued_faces import DUPLICATES

OVERLAP = 0.1
"""The fraction of the queue that everybody sees, unless told otherwise."""


@dataclass(frozen=True)
class Share:
    """One person's part of the queue."""

    part: int
    """From 1 to `parts`."""
    parts: int
    overlap: float = OVERLAP
    """The fraction of the queue that everybody sees, from 0 to 1."""

    def __str__(self) -> str:
        """As it is typed: `1/3`."""
        return f"{self.part}/{self.parts}"


def read_share(share: str | None, *, overlap: float | None = None) -> Share | None:
    """Reads `--share` and `--overlap`; None without a share.

    Raises:
        UserError: There is no such part, the overlap is no fraction, or there is one without a share.
    """
    if overlap is not None and not 0 <= overlap <= 1:
        raise UserError(f"--overlap: got {overlap:g}, expected a fraction from 0 to 1, such as 0.1")
    if share is None:
        if overlap is not None:
            raise UserError("--overlap is for a share of the queue: add such as `--share 1/3`")
        return None
    found = re.fullmatch("([0-9]{1,4})/([0-9]{1,4})", share)
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise UserError(
            f"--share: got {share[:40]!r}, expected a part of how many, from 1/3 to 3/3 for three people"
        )
    return Share(int(found[1]), int(found[2]), OVERLAP if overlap is None else overlap)


def dealt(
    faces: Sequence[dict[str, Any]], share: Share
) -> tuple[list[dict[str, Any]], frozenset[str]]:
    """Picks the faces of one share.

    The pixels of a face and of its duplicates alone say whose it is. So all copies of an image go to one
    person, the others' faces stay theirs as the queue is decided or ranked again, and each part gets
    faces of every rank.

    Args:
        faces: As `queued_faces` returns them.
        share: Whose.

    Returns:
        The faces of the share in their order, and the pixel hashes of those that everybody sees.
    """
    mine: list[dict[str, Any]] = []
    common: set[str] = set()
    for face in faces:
        key = min(one[PIXEL_HASH] for one in (face, *face[DUPLICATES]))
        # The least of several hashes begins low, but its other digits are as those of any.
        for_whom, for_all = int(key[-16:-8], 16), int(key[-8:], 16)
        if for_all < share.overlap * 16**8:
            common.add(face[PIXEL_HASH])
        elif for_whom % share.parts != share.part - 1:
            continue
        mine.append(face)
    return mine, frozenset(common)
