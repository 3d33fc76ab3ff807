"""Builds the entries of the review queue, with their neighbors and duplicates."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from fer_data.core.errors import UserError
from fer_data.core.schema import (
    ISSUE_TYPE,
    LABEL,
    NEAR_GROUP,
    NEIGHBORS,
    ORIGINAL_SPLIT,
    PATH,
    PIXEL_HASH,
    RANK,
    SUGGESTED_LABEL,
    TESTING,
)

DUPLICATES = "duplicates"

SHOWN_COLUMNS = (PATH, PIXEL_HASH, LABEL, SUGGESTED_LABEL, RANK, ISSUE_TYPE)
"""What the queue must tell of a suspect, and the review app hands on."""


def queued_faces(
    suspects: pd.DataFrame, manifest: pd.DataFrame, neighbors: pd.DataFrame
) -> list[dict[str, Any]]:
    """Builds the entries of the queue that the review app shows.

    Args:
        suspects: The review queue: a row a suspect, with `SHOWN_COLUMNS`.
        manifest: Rows with `path`, `pixel_hash`, `label`, `original_split` and `near_group`.
        neighbors: Rows with `path` and `neighbors`: the nearest Training faces, nearest first.

    Returns:
        The faces, lowest label quality first, near-duplicates together, each once (suspects with
        equal pixels are decided together): `SHOWN_COLUMNS`, `near_group`, `neighbors` with
        `pixel_hash` and `label`, and its exact and near `duplicates`, in the queue or not, with `path`,
        `pixel_hash`, `original_split` and `label`. The label of a Testing duplicate is None, since
        nothing is ever chosen by the test set.

    Raises:
        UserError: The queue or the neighbors do not fit the manifest.
    """
    nearest = dict(zip(neighbors[PATH], neighbors[NEIGHBORS], strict=True))
    _check_known(suspects[PATH], set(nearest), "neighbors.parquet")
    once = suspects.sort_values(RANK, kind="stable").drop_duplicates(PIXEL_HASH)
    known = {path for suspect in once[PATH] for path in nearest[suspect]}
    shown = manifest[manifest[PATH].isin(known | set(suspects[PATH]))]
    _check_known([*known, *suspects[PATH]], set(shown[PATH]), "the manifest")
    of_path = {row[PATH]: row for row in shown[[PATH, PIXEL_HASH, LABEL]].to_dict("records")}
    once = once[list(SHOWN_COLUMNS)].merge(manifest[[PATH, NEAR_GROUP]], on=PATH)
    first = once.groupby(NEAR_GROUP)[RANK].transform("min")
    rows = once.assign(first=first).sort_values(["first", RANK]).drop(columns="first")
    duplicates = _duplicates(manifest, set(once[NEAR_GROUP]))
    return [
        {
            **row,
            NEIGHBORS: [
                {name: of_path[path][name] for name in (PIXEL_HASH, LABEL)}
                for path in nearest[row[PATH]]
            ],
            DUPLICATES: [
                duplicate
                for duplicate in duplicates[row[NEAR_GROUP]]
                if duplicate[PATH] != row[PATH]
            ],
        }
        for row in rows.to_dict("records")
    ]


def _duplicates(manifest: pd.DataFrame, groups: set[int]) -> dict[int, list[dict[str, Any]]]:
    """All faces of the archive in each of some near groups."""
    found: dict[int, list[dict[str, Any]]] = {group: [] for group in groups}
    same = manifest[manifest[NEAR_GROUP].isin(groups)]
    rows = same[[PATH, PIXEL_HASH, ORIGINAL_SPLIT, LABEL]].to_dict("records")
    for group, row in zip(same[NEAR_GROUP], rows, strict=True):
        shown = row[LABEL] if row[ORIGINAL_SPLIT] != TESTING else None
        found[group].append({**row, LABEL: shown})
    return found


def _check_known(paths: Sequence[str] | pd.Series, known: set[str], where: str) -> None:
    for path in paths:
        if path not in known:
            raise UserError(
                f"the review queue holds {path}, which {where} lacks: `dvc repro` ranks the labels again"
            )
