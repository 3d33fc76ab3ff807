"""Queues the undecided faces, lowest label quality first, for the review app and Label Studio.

A leaf of the graph: only the data-quality report and people read it, so that a decision makes the queue
again and trains nothing.
"""

import json
import logging
from typing import Any

import numpy as np
import pandas as pd

from fer_data.annotation.apply_decisions import decisions_on
from fer_data.annotation.decision_log import read_decisions
from fer_data.annotation.decision_marks import MARK, mark_of
from fer_data.core.face_store import read_faces
from fer_data.core.files import atomic_write
from fer_data.core.schema import (
    EXCLUDED,
    FOLD,
    ISSUE_TYPE,
    LABEL,
    NEIGHBORS,
    NON_FACE,
    PATH,
    PIXEL_HASH,
    PROBABILITIES,
    RANK,
    SPLIT,
)
from fer_data.core.tables import read_table, write_table
from fer_data.review_queue.label_studio_tasks import to_tasks
from fer_data.review_queue.review_queue_settings import Balance, ReviewQueueSettings
from fer_data.stages import stage
from fer_data.stages.settings import DataSettings, read_settings

logger = logging.getLogger(__name__)


def review_queue(
    ranked: pd.DataFrame, decisions: pd.DataFrame, *, budget: int, balance: Balance
) -> pd.DataFrame:
    """The undecided faces with the lowest label quality.

    Exact duplicates are decided together, whatever their labels, so that the one with the lowest label
    quality stands for all. Excluded faces are left out, since nothing learns from them.

    Args:
        ranked: Faces by rank, as `mislabels` writes them, with the `split` of each.
        decisions: The decisions that stand: rows with `pixel_hash`.
        budget: How many faces the queue holds at most.
        balance: `none`: the lowest label quality of all; `equal`: as many of each given class, and of
            those classes more that have them where others have too few.

    Returns:
        At most `budget` rows, lowest label quality first, without the split and the probabilities.
    """
    is_open = (ranked[SPLIT] != EXCLUDED) & ~ranked[PIXEL_HASH].isin(decisions[PIXEL_HASH])
    once = ranked[is_open].sort_values(RANK).drop_duplicates(PIXEL_HASH)
    if balance == "equal":
        turn = once.groupby(LABEL).cumcount()
        once = once.assign(turn=turn).sort_values(["turn", RANK]).head(budget)
        once = once.drop(columns="turn").sort_values(RANK)
    return once.head(budget).drop(columns=[SPLIT, PROBABILITIES]).reset_index(drop=True)


def main() -> None:
    """Reads the ranking, the decisions and the folds; writes the queue, its neighbors and its tasks."""
    flags = stage.parse_flags(
        __doc__,
        *("manifest", "pixels", "assignments", "label_quality", "crossval", "decisions"),
        *("suspects", "neighbors", "label_studio"),
    )
    settings = read_settings(ReviewQueueSettings, "review_queue")
    data = read_settings(DataSettings, "data")
    manifest, pixels = read_faces(flags.manifest, flags.pixels)
    assignments = read_table(flags.assignments, columns=(PATH, SPLIT, FOLD)).set_index(PATH)
    mark = mark_of(flags.decisions)  # before they are read: rather one too few than one too many
    decision_log = read_decisions(flags.decisions, expressions=data.known_expressions)
    queue = review_queue(
        read_table(flags.label_quality).merge(assignments[SPLIT], on=PATH),
        decisions_on(
            manifest, decision_log, file=flags.decisions, retired=data.retired_expressions
        ),
        **settings.model_dump(),
    )
    with atomic_write(flags.suspects) as beside:
        queue.to_csv(beside, index=False)
    nearest: dict[str, Any] = {}
    for fold in sorted(set(assignments.loc[queue[PATH], FOLD])):
        scored = read_table(
            flags.crossval / f"fold-{fold}.parquet",
            columns=(PATH, NEIGHBORS),
            paths=queue[PATH],
        )
        nearest |= dict(zip(scored[PATH], scored[NEIGHBORS], strict=True))
    write_table(
        queue[[PATH]].assign(**{NEIGHBORS: [nearest[path] for path in queue[PATH]]}),
        flags.neighbors,
        metadata={MARK: json.dumps(mark, allow_nan=False)},
    )
    rows = pd.Series(np.arange(len(manifest)), index=manifest[PATH]).loc[queue[PATH]]
    tasks = to_tasks(queue, pixels[rows.to_numpy()])
    with atomic_write(flags.label_studio) as beside:
        text = stage.json_text(tasks, of=flags.label_studio, indent=1)
        beside.write_text(text, encoding="utf-8")
    logger.info(
        "review_queue: %d faces wait (%d of no face) -> %s",
        *(len(queue), (queue[ISSUE_TYPE] == NON_FACE).sum(), flags.suspects),
    )


if __name__ == "__main__":
    stage.run(main)
