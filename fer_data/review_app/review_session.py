"""A review session: the queue, the decisions that stand on it, and new ones.

It gives a page plain rows, and appends lines to the file of decisions. Whatever stands is in the
file, which is read again when it has changed, so that several sessions may be open, and one that is
killed loses nothing.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from fer_data.annotation.decision_writer import Decision, at_once_note
from fer_data.annotation.standing_decisions import Standing
from fer_data.core.clock import now
from fer_data.core.errors import UserError
from fer_data.core.schema import (
    ANNOTATOR,
    DECIDED_AT,
    DECISION,
    LABEL,
    NEAR_GROUP,
    PIXEL_HASH,
    UNDO,
)
from fer_data.review_app.queue_share import Share, dealt
from fer_data.review_app.session_summary import SessionSummary


class Review:
    """A review queue and the decisions on it, made by one person or by several at once."""

    def __init__(
        self,
        faces: list[dict[str, Any]],
        file: Path,
        *,
        expressions: tuple[str, ...],
        retired: tuple[str, ...] = (),
        annotator: str = "",
        share: Share | None = None,
    ) -> None:
        """Takes a queue.

        Args:
            faces: As `queued_faces` returns them.
            file: The decisions made so far, see `schema.DECISION_COLUMNS`.
            expressions: The classes that a decision may name.
            retired: Classes that an earlier one may name: its face is shown as undecided.
            annotator: Who decides; empty if each decision is to tell.
            share: Which of the faces are theirs; by default all. A face that everybody sees waits until
                `annotator` has decided on it, and nothing is told of what others said.

        Raises:
            UserError: The file is missing or broken, or there is a share and no annotator.
        """
        if share and not annotator:
            raise UserError(
                f"--share {share}: whose? Got no `--annotator`, and git knows no user.name"
            )
        self.faces, self._common = dealt(faces, share) if share else (faces, frozenset())
        self.num_queued = len(faces)
        self.expressions = expressions
        self.annotator = annotator
        self.share = share
        self.session = SessionSummary()
        self._file = file
        self._given = {face[PIXEL_HASH]: face[LABEL] for face in self.faces}
        self._groups = {face[PIXEL_HASH]: face[NEAR_GROUP] for face in self.faces}
        # A broken file fails before anybody has looked at a face.
        self._standing = Standing(file, expressions=expressions, retired=retired)

    def in_words(self) -> str:
        """Describes the share in a line; empty where there is none."""
        if not self.share:
            return ""
        line = f"Share {self.share}: {len(self.faces)} of the {self.num_queued} faces of the queue"
        return f"{line}, {len(self._common)} of them for everybody." if self._common else f"{line}."

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
            for one in self._standing.on(self._given, own=self._common, annotator=self.annotator)
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
        self.session.decide({one: self._given[one] for one in pixel_hashes}, decision)
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
        self.session.undo(pixel_hashes)
        return self.decided()

    def skip(self, pixel_hashes: Sequence[str]) -> str:
        """Takes note that some faces were passed over; returns the `summary`."""
        self.session.skip([one for one in pixel_hashes if one in self._given])
        return self.summary()

    def summary(self) -> str:
        """Describes the session so far in a line.

        Raises:
            UserError: The file is missing or broken.
        """
        return self.session.in_words(decided=self.decided())

    def farewell(self, workspace: Path) -> Iterator[str]:
        """Describes the session at its end, in lines: what was done, what is left, what to type next.

        Args:
            workspace: Where to type it.

        Raises:
            UserError: As `summary`.
        """
        yield "Ended; every decision was on the disk before the next face showed."
        yield self.summary()
        left = len(self.faces) - len(self.decided())
        whose = f"share {self.share}" if self.share else "the queue"
        yield f"{left} of the {len(self.faces)} faces of {whose} wait."
        if number := self.session.num_decided:
            where = "" if workspace == Path() else f" in {workspace}"
            file = self._file.relative_to(workspace)
            then = "; when all shares are merged," if self.share else ", then"
            message = f"Decide on {number} label{'s' if number > 1 else ''}"
            yield f"Next{where}: `git commit -m '{message}' {file}`{then} `dvc repro`."

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
        # Who decides a whole grid looks less closely: the audit does not count it.
        note = at_once_note(len({self._groups[pixel_hash] for pixel_hash in pixel_hashes}))
        lines = [
            Decision(pixel_hash, self._given[pixel_hash], decision, annotator.strip(), time, note)
            for pixel_hash in pixel_hashes
        ]
        self._standing.append(lines)
