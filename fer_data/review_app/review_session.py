"""A review session: the queue, the decisions that stand on it, and new ones.

It gives a page plain rows, and appends lines to the file of decisions. Whatever stands is in the
file, which is read again when it has changed, so that several sessions may be open, and one that is
killed loses nothing.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from fer_data.annotation.decision_writer import Decision
from fer_data.annotation.standing_decisions import Standing
from fer_data.core.clock import now
from fer_data.core.errors import UserError
from fer_data.core.schema import (
    ANNOTATOR,
    DECIDED_AT,
    DECISION,
    ISSUE_TYPE,
    LABEL,
    NEAR_GROUP,
    NEIGHBORS,
    ORIGINAL_SPLIT,
    PATH,
    PIXEL_HASH,
    RANK,
    SUGGESTED_LABEL,
    TRAINING,
    UNDO,
)

DUPLICATES = "duplicates"

SHOWN_COLUMNS = (PATH, PIXEL_HASH, LABEL, SUGGESTED_LABEL, RANK, ISSUE_TYPE)
"""What the queue must tell of a suspect, and the review app hands on."""


class Review:
    """A review queue and the decisions on it, made by one person or by several at once."""

    def __init__(
        self,
        faces: list[dict[str, Any]],
        file: Path,
        *,
        expressions: tuple[str, ...],
        retired: tuple[str, ...] = (),
    ) -> None:
        """Takes a queue.

        Args:
            faces: As `queued_faces` returns them.
            file: The decisions made so far, see `schema.DECISION_COLUMNS`.
            expressions: The classes that a decision may name.
            retired: Classes that an earlier one may name: its face is shown as undecided.

        Raises:
            UserError: The file is missing or broken.
        """
        self.faces = faces
        self.expressions = expressions
        self._given = {face[PIXEL_HASH]: face[LABEL] for face in faces}
        # A broken file fails before anybody has looked at a face.
        self._standing = Standing(file, expressions=expressions, retired=retired)

    def decided(self) -> dict[str, dict[str, str]]:
        """The decisions that stand on the queue's faces; reads the file if it has changed.

        Returns:
            `decision`, `annotator` and `decided_at` of each decided face, by its pixel hash, the
            latest last.

        Raises:
            UserError: The file is missing or broken.
        """
        names = (DECISION, ANNOTATOR, DECIDED_AT)
        return {
            one.pixel_hash: {name: getattr(one, name) for name in names}
            for one in self._standing.on(self._given)
        }

    def decide(
        self, pixel_hashes: Sequence[str], decision: str, *, annotator: str
    ) -> dict[str, dict[str, str]]:
        """Writes one decision on some faces, all or none, and returns when it is on the disk.

        A face that another review app has decided on meanwhile gets this decision too: both are in the
        file, and the later one stands.

        Args:
            pixel_hashes: Faces of the queue.
            decision: An expression, `keep` or `drop`.
            annotator: Who decides.

        Returns:
            What stands now, as `decided` does.

        Raises:
            UserError: No face or no annotator is named, the queue lacks a face, the decision is no such
                thing, or the file is missing or broken.
        """
        if decision == UNDO:
            raise UserError(f"got the decision '{UNDO}', which takes one back and makes none")
        self._append(pixel_hashes, decision, annotator)
        return self.decided()

    def undo(self, pixel_hashes: Sequence[str], *, annotator: str) -> dict[str, dict[str, str]]:
        """Takes an annotator's own decisions on some faces back, all or none, by further lines.

        Args:
            pixel_hashes: Faces of the queue on which `annotator` has decided.
            annotator: Who takes them back.

        Returns:
            What stands now, as `decided` does.

        Raises:
            UserError: As `decide`; or what stands on a face is not the annotator's decision.
        """
        standing = self.decided()
        for pixel_hash in pixel_hashes:
            by = standing.get(pixel_hash, {}).get(ANNOTATOR)
            if by != annotator.strip():
                raise UserError(
                    "nothing to take back: the decision has been taken back already"
                    if by is None
                    else f"{by} has decided on this face since: only {by} can take that back"
                )
        self._append(pixel_hashes, UNDO, annotator)
        return self.decided()

    def _append(self, pixel_hashes: Sequence[str], decision: str, annotator: str) -> None:
        if not annotator.strip():
            raise UserError("who decides? A decision needs the name of its annotator")
        if not pixel_hashes:
            raise UserError(f"got no face, expected those that '{decision}' is for")
        for pixel_hash in pixel_hashes:
            if pixel_hash not in self._given:
                raise UserError(
                    f"the queue has no face {pixel_hash[:12]}: it was ranked again, reload the page"
                )
        time = now()
        lines = [
            Decision(pixel_hash, self._given[pixel_hash], decision, annotator.strip(), time)
            for pixel_hash in pixel_hashes
        ]
        self._standing.append(lines)


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
        shown = row[LABEL] if row[ORIGINAL_SPLIT] == TRAINING else None
        found[group].append({**row, LABEL: shown})
    return found


def _check_known(paths: Sequence[str] | pd.Series, known: set[str], where: str) -> None:
    for path in paths:
        if path not in known:
            raise UserError(
                f"the review queue holds {path}, which {where} lacks: `dvc repro` ranks the labels again"
            )
