"""Queues the undecided faces, lowest label quality first, for the review app and Label Studio.

It also draws the audit sample, and learns from enough decisions how labels go wrong. A leaf of the
graph: only the data-quality report and people read it, so that a decision makes the queue again and
trains nothing.
"""

import json
import logging
from pathlib import Path
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
    LABEL_QUALITY,
    NEAR_GROUP,
    NEIGHBORS,
    NON_FACE,
    PATH,
    PIXEL_HASH,
    PROBABILITIES,
    RANK,
    SPLIT,
    SUGGESTED_LABEL,
)
from fer_data.core.tables import read_table, write_table
from fer_data.review_queue.audit import WAITS, draw_audit, mix_in
from fer_data.review_queue.decided_faces import decided_faces
from fer_data.review_queue.label_studio_tasks import to_tasks
from fer_data.review_queue.learned_ranking import in_words, learn_ranking
from fer_data.review_queue.review_queue_settings import Balance, ReviewQueueSettings
from fer_data.stages import stage
from fer_data.stages.settings import DataSettings, read_settings

logger = logging.getLogger(__name__)

QUEUE_COLUMNS = (
    *(PATH, PIXEL_HASH, LABEL, SUGGESTED_LABEL),
    *(LABEL_QUALITY, RANK, ISSUE_TYPE),
)


def review_queue(
    ranked: pd.DataFrame, decisions: pd.DataFrame, *, budget: int, balance: Balance
) -> pd.DataFrame:
    """The undecided faces with the lowest label quality.

    Exact duplicates are decided together, whatever their labels, so that the one with the lowest label
    quality stands for all. Excluded faces are left out, since nothing learns from them.

    Args:
        ranked: Faces by rank, as `learn_ranking` returns them, with the `split` of each.
        decisions: The decisions that stand: rows with `pixel_hash`.
        budget: How many faces the queue holds at most.
        balance: `none`: the lowest label quality of all; `equal`: as many of each given class, and of
            those classes more that have them where others have too few.

    Returns:
        At most `budget` rows, lowest label quality first, with `QUEUE_COLUMNS`.
    """
    is_open = (ranked[SPLIT] != EXCLUDED) & ~ranked[PIXEL_HASH].isin(decisions[PIXEL_HASH])
    once = ranked[is_open].sort_values(RANK).drop_duplicates(PIXEL_HASH)
    if balance == "equal":
        turn = once.groupby(LABEL).cumcount()
        once = once.assign(turn=turn).sort_values(["turn", RANK]).head(budget)
        once = once.drop(columns="turn").sort_values(RANK)
    return once[list(QUEUE_COLUMNS)].head(budget).reset_index(drop=True)


def main() -> None:
    """Reads the scores, the decisions and the folds; writes the queue and all that goes with it."""
    flags = stage.parse_flags(
        __doc__,
        *("manifest", "pixels", "assignments", "label_quality", "crossval", "decisions"),
        *("suspects", "audit", "ranking", "learning", "neighbors", "label_studio"),
    )
    settings = read_settings(ReviewQueueSettings, "review_queue")
    data = read_settings(DataSettings, "data")
    manifest, pixels = read_faces(flags.manifest, flags.pixels)
    assignments = read_table(flags.assignments, columns=(PATH, SPLIT, FOLD, NEAR_GROUP))
    scored = read_table(flags.label_quality, expressions=data.expressions)
    scored = scored.merge(assignments[[PATH, SPLIT, NEAR_GROUP]], on=PATH)
    mark = mark_of(flags.decisions)  # before they are read: rather one too few than one too many
    decision_log = read_decisions(flags.decisions, expressions=data.known_expressions)
    decisions = decisions_on(
        manifest, decision_log, file=flags.decisions, retired=data.retired_expressions
    )
    audit = draw_audit(
        scored, decisions[PIXEL_HASH], num_faces=settings.audit_faces, seed=settings.audit_seed
    )
    ranking = learn_ranking(
        scored,
        decided_faces(scored, decisions, audit),
        expressions=data.expressions,
        min_decisions=settings.min_decisions_to_learn,
    )
    queue = review_queue(
        ranking.ranked, decisions, budget=settings.budget, balance=settings.balance
    )
    suggested = ranking.ranked.set_index(PATH)[SUGGESTED_LABEL]
    audit = audit.assign(**{SUGGESTED_LABEL: audit[PATH].map(suggested)})
    for table, file in ((queue, flags.suspects), (audit, flags.audit)):
        with atomic_write(file) as beside:
            table.to_csv(beside, index=False)
    write_table(ranking.ranked.drop(columns=[SPLIT, NEAR_GROUP, PROBABILITIES]), flags.ranking)
    with atomic_write(flags.learning) as beside:
        text = stage.json_text(ranking.summary, of=flags.learning)
        beside.write_text(text, encoding="utf-8")
    shown = list(dict.fromkeys([*queue[PATH], *audit[PATH]]))
    write_table(
        _neighbors(shown, assignments, flags.crossval),
        flags.neighbors,
        metadata={MARK: json.dumps(mark, allow_nan=False)},
    )
    mixed = mix_in(queue, audit)
    rows = pd.Series(np.arange(len(manifest)), index=manifest[PATH]).loc[mixed[PATH]]
    tasks = to_tasks(mixed, pixels[rows.to_numpy()])
    with atomic_write(flags.label_studio) as beside:
        text = stage.json_text(tasks, of=flags.label_studio, indent=1)
        beside.write_text(text, encoding="utf-8")
    logger.info(
        "review_queue: %d faces wait (%d of no face), %s; audit: %d of %d faces decided -> %s",
        *(len(queue), (queue[ISSUE_TYPE] == NON_FACE).sum(), in_words(ranking.summary)),
        *((~audit[WAITS]).sum(), len(audit), flags.suspects),
    )


def _neighbors(paths: list[str], assignments: pd.DataFrame, crossval: Path) -> pd.DataFrame:
    """The nearest faces of some faces, `path` and `neighbors`, from the scores of their folds."""
    folds = assignments.set_index(PATH).loc[paths, FOLD]
    nearest: dict[str, Any] = {}
    for fold in sorted(set(folds)):
        file = crossval / f"fold-{fold}.parquet"
        scored = read_table(file, columns=(PATH, NEIGHBORS), paths=paths)
        nearest |= dict(zip(scored[PATH], scored[NEIGHBORS], strict=True))
    found = pd.DataFrame({PATH: pd.Series(paths, dtype=str)})
    return found.assign(**{NEIGHBORS: [nearest[path] for path in paths]})


if __name__ == "__main__":
    stage.run(main)
