"""Thumbnails for the page: mean faces, groups of duplicates, and the queue."""

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd

from fer_data.core.errors import UserError
from fer_data.core.schema import (
    DUPLICATE_GROUP,
    GIVEN_LABEL,
    LABEL,
    ORIGINAL_SPLIT,
    PATH,
    PIXEL_HASH,
    TESTING,
)
from fer_data.web.html import face_uri


def mean_faces(
    faces: pd.DataFrame, pixels: np.ndarray, *, expressions: tuple[str, ...]
) -> dict[str, str]:
    """Averages each class, pixel by pixel.

    Args:
        faces: N rows with `label`.
        pixels: uint8 (N, 48, 48), in the same order.
        expressions: The classes.

    Returns:
        The mean face of each class that has faces, as a data URI.
    """
    means: dict[str, str] = {}
    for expression in expressions:
        rows = np.flatnonzero(faces[LABEL] == expression)
        if len(rows):
            # In parts of 9 MB, since the pixels are mapped and a class may not fit into memory.
            parts = np.array_split(rows, len(rows) // 4096 + 1)
            total = np.sum([pixels[part].sum(axis=0, dtype=np.int64) for part in parts], axis=0)
            means[expression] = face_uri(np.round(total / len(rows)).astype(np.uint8))
    return means


def spread(groups: np.ndarray, number: int) -> list[int]:
    """At most `number` of the groups, an int array, evenly spread over them, in their order."""
    places = np.linspace(0, len(groups) - 1, min(number, len(groups)))
    return [int(group) for group in groups[places.astype(int)]]


def duplicates(
    faces: pd.DataFrame, pixels: np.ndarray, *, groups: list[int], differ_in: str
) -> list[dict[str, Any]]:
    """Makes thumbnails of some groups of duplicates.

    Args:
        faces: N rows with `path`, `label`, `original_split` and `duplicate_group`.
        pixels: uint8 (N, 48, 48), in the same order.
        groups: The duplicate groups.
        differ_in: A column; faces that differ in it come first, so that they are shown.

    Returns:
        For each group two `faces`, with `path`, `label`, `original_split` and the image's `uri`, and the
        `others`: how many more it has of each label.
    """
    chosen = faces[faces[DUPLICATE_GROUP].isin(groups)]
    pairs: list[pd.DataFrame] = []
    others: list[dict[str, int]] = []
    for _, members in chosen.groupby(DUPLICATE_GROUP):
        order = members.groupby(differ_in).cumcount().sort_values(kind="stable").index
        pairs.append(members.loc[order[:2], [PATH, LABEL, ORIGINAL_SPLIT]])
        others.append(dict(Counter(members.loc[order[2:], LABEL]).most_common()))
    if not pairs:
        return []
    images = thumbnails_of(pd.concat(pairs), faces, pixels)
    return [
        {"faces": images[2 * number : 2 * number + 2], "others": others[number]}
        for number in range(len(pairs))
    ]


def disputed_faces(
    disputed: pd.DataFrame, faces: pd.DataFrame, pixels: np.ndarray, *, number: int
) -> list[dict[str, Any]]:
    """Makes thumbnails of faces on which people disagree.

    Args:
        disputed: Rows with `pixel_hash` and `given_label`.
        faces: N rows with `path`, `pixel_hash`, `original_split` and `label`.
        pixels: uint8 (N, 48, 48), in the same order.
        number: How many at most, evenly spread over the paths.

    Returns:
        The rows as dicts, with `uri` and `path`: of a copy outside of Testing under the given label, if
        there is one.
    """
    copies = disputed.merge(faces[[PATH, PIXEL_HASH, ORIGINAL_SPLIT, LABEL]], on=PIXEL_HASH)
    is_seen = (copies[LABEL] == copies[GIVEN_LABEL]) & (copies[ORIGINAL_SPLIT] != TESTING)
    likely = copies.assign(is_other=~is_seen).sort_values(["is_other", PATH])
    rows = likely.drop_duplicates(PIXEL_HASH).sort_values(PATH)
    return thumbnails_of(rows.iloc[spread(np.arange(len(rows)), number)], faces, pixels)


def thumbnails_of(
    rows: pd.DataFrame, faces: pd.DataFrame, pixels: np.ndarray
) -> list[dict[str, Any]]:
    """Adds a thumbnail to each row.

    Args:
        rows: Rows with `path`.
        faces: N rows with `path`.
        pixels: uint8 (N, 48, 48), in the same order as `faces`.

    Returns:
        The rows as dicts, with the image's `uri`.

    Raises:
        UserError: A path is not among the faces.
    """
    places = pd.Index(faces[PATH]).get_indexer(pd.Index(rows[PATH]))
    if (places < 0).any():
        raise UserError(
            f"the review queue holds {rows[PATH].iloc[places.argmin()]}, which the manifest lacks: "
            "`dvc repro` ranks the labels again"
        )
    uris = [face_uri(pixels[place]) for place in places]
    records = rows.to_dict("records")
    return [{**row, "uri": uri} for row, uri in zip(records, uris, strict=True)]
