"""The review queue as people work through it: what waits, what is known of it, what they decide.

In come the queue, the manifest, the suspects' neighbours and the file of decisions; out go plain
rows for a page, and lines at the end of the file. Whatever stands is read from the file each time,
so that several desks may be open, and a desk that is killed forgets nothing.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from fer_data.decisions import Decision, append_decisions, now
from fer_data.relabels import latest_decisions, read_relabels
from fer_data.schema import (
    ANNOTATOR,
    DECISION,
    KIND,
    LABEL,
    NEIGHBOURS,
    PATH,
    PIXEL_HASH,
    RANK,
    SOURCE,
    SUGGESTED_LABEL,
    TRAINING,
    UNDO,
)
from fer_data.stage import UserError

TWINS = "twins"

SHOWN_COLUMNS = (PATH, PIXEL_HASH, LABEL, SUGGESTED_LABEL, RANK, KIND)
"""What the queue must tell of a suspect, and the desk hands on."""


class Review:
    """A review queue and the decisions on it, made by one person or by several at once."""

    def __init__(
        self, faces: list[dict[str, Any]], file: Path, *, expressions: tuple[str, ...]
    ) -> None:
        """Takes a queue.

        Args:
            faces: As `queued_faces` returns them.
            file: The decisions made so far, see `schema.RELABEL_COLUMNS`.
            expressions: The classes that a decision may name.

        Raises:
            UserError: The file is missing or broken.
        """
        self.faces = faces
        self.expressions = expressions
        self._file = file
        self._given = {face[PIXEL_HASH]: face[LABEL] for face in faces}
        self.decided()  # a broken file is told before anybody has looked at a face

    def decided(self) -> dict[str, dict[str, str]]:
        """What stands on the faces of the queue, freshly read.

        Returns:
            `decision` and `annotator` of each decided face, by its pixel hash, the latest last.

        Raises:
            UserError: The file is missing or broken.
        """
        latest = latest_decisions(read_relabels(self._file, expressions=self.expressions))
        columns = (latest[name] for name in (PIXEL_HASH, DECISION, ANNOTATOR))
        return {
            pixel_hash: {DECISION: decision, ANNOTATOR: annotator}
            for pixel_hash, decision, annotator in zip(*columns, strict=True)
            if pixel_hash in self._given
        }

    def decide(
        self, pixel_hashes: Sequence[str], decision: str, *, annotator: str
    ) -> dict[str, dict[str, str]]:
        """Writes one decision on some faces, all or none, and returns when it is on the disk.

        A face that another desk has decided on meanwhile gets this decision too: both are in the
        file, and the later one stands.

        Args:
            pixel_hashes: Faces of the queue.
            decision: An expression, `keep` or `drop`.
            annotator: Who decides.

        Returns:
            What stands now, as `decided` does.

        Raises:
            UserError: No face or nobody is named, the queue lacks a face, the decision is no such
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
                    f"the queue has no face {pixel_hash[:12]}: it was ranked anew, reload the page"
                )
        time = now()
        lines = [
            Decision(pixel_hash, self._given[pixel_hash], decision, annotator.strip(), time)
            for pixel_hash in pixel_hashes
        ]
        append_decisions(self._file, lines, expressions=self.expressions)


def queued_faces(
    suspects: pd.DataFrame, manifest: pd.DataFrame, neighbours: pd.DataFrame
) -> list[dict[str, Any]]:
    """What a person sees of each face of the queue.

    Args:
        suspects: The review queue: a row a suspect, with `SHOWN_COLUMNS`.
        manifest: Rows with `path`, `pixel_hash`, `label` and `source`.
        neighbours: Rows with `path` and `neighbours`: the nearest Training faces, nearest first.

    Returns:
        The faces, most doubtful first, each once (suspects with equal pixels are decided together):
        `SHOWN_COLUMNS`, `neighbours` with `pixel_hash` and `label`, and the other `twins` with
        `path`, `source` and `label`. The label of a Testing twin is None, since nothing is ever
        chosen by the test set.

    Raises:
        UserError: The queue or the neighbours do not fit the manifest.
    """
    once = suspects.sort_values(RANK, kind="stable").drop_duplicates(PIXEL_HASH)
    rows = once[list(SHOWN_COLUMNS)].to_dict("records")
    nearest = dict(zip(neighbours[PATH], neighbours[NEIGHBOURS], strict=True))
    _check_known(suspects[PATH], set(nearest), "neighbours.parquet")
    known = {path for row in rows for path in nearest[row[PATH]]}
    shown = manifest[manifest[PATH].isin(known | set(suspects[PATH]))]
    _check_known([*known, *suspects[PATH]], set(shown[PATH]), "the manifest")
    of_path = {row[PATH]: row for row in shown[[PATH, PIXEL_HASH, LABEL]].to_dict("records")}
    twins = _twins(manifest, set(once[PIXEL_HASH]))
    return [
        {
            **row,
            NEIGHBOURS: [
                {name: of_path[path][name] for name in (PIXEL_HASH, LABEL)}
                for path in nearest[row[PATH]]
            ],
            TWINS: [twin for twin in twins[row[PIXEL_HASH]] if twin[PATH] != row[PATH]],
        }
        for row in rows
    ]


def _twins(manifest: pd.DataFrame, hashes: set[str]) -> dict[str, list[dict[str, Any]]]:
    """All faces of the archive with each of some pixel hashes."""
    found: dict[str, list[dict[str, Any]]] = {pixel_hash: [] for pixel_hash in hashes}
    same = manifest[manifest[PIXEL_HASH].isin(hashes)]
    columns = (same[name] for name in (PIXEL_HASH, PATH, SOURCE, LABEL))
    for pixel_hash, path, source, label in zip(*columns, strict=True):
        told = label if source == TRAINING else None
        found[pixel_hash].append({PATH: path, SOURCE: source, LABEL: told})
    return found


def _check_known(paths: Sequence[str] | pd.Series, known: set[str], where: str) -> None:
    for path in paths:
        if path not in known:
            raise UserError(
                f"the review queue holds {path}, which {where} lacks: `dvc repro` ranks the labels anew"
            )
