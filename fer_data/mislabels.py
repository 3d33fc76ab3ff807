"""Ranks the Training faces by the doubt about their labels, and queues the most doubtful for people."""

import json
import logging
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from cleanlab.rank import get_label_quality_scores
from pydantic import Field

from fer_data import stage
from fer_data.faces import read_faces
from fer_data.label_studio import to_tasks
from fer_data.params import DataSettings, Settings, read_settings
from fer_data.schema import (
    LABEL,
    LABEL_QUALITY,
    PATH,
    PIXEL_HASH,
    PROBABILITIES,
    RANK,
    SOURCE,
    SUGGESTED_LABEL,
    TRAINING,
)
from fer_data.tables import probabilities_of, read_table, write_table

logger = logging.getLogger(__name__)

Method = Literal["self_confidence", "normalized_margin", "confidence_weighted_entropy"]


class MislabelsSettings(Settings):
    """Section `mislabels`."""

    method: Method
    """The score of cleanlab that labels are ranked by."""
    budget: int = Field(ge=1)
    """How many faces the review queue holds at most."""


def rank_labels(
    faces: pd.DataFrame,
    probabilities: np.ndarray,
    *,
    expressions: tuple[str, ...],
    method: Method,
) -> pd.DataFrame:
    """Scores each label by the out-of-sample probabilities of its face (Northcutt et al., 2021).

    Args:
        faces: N faces with `path`, `pixel_hash` and `label`.
        probabilities: float32 (N, K), out of sample, in the same order.
        expressions: The K classes, in the order of the columns.
        method: The score of `cleanlab.rank.get_label_quality_scores`.

    Returns:
        N rows, most doubtful first: `path`, `pixel_hash`, `label`, `suggested_label` (the most
        probable other class), `label_quality` (0 to 1, low is doubtful), `rank` (from 1) and
        `probabilities`.
    """
    label_numbers = {expression: number for number, expression in enumerate(expressions)}
    labels = faces[LABEL].map(label_numbers).to_numpy(np.int64)
    # In double precision, since float32 rows sum to 1 only within cleanlab's tolerance.
    exact = probabilities.astype(np.float64)
    exact /= exact.sum(axis=1, keepdims=True)
    quality = get_label_quality_scores(labels, exact, method=method)
    others = exact.copy()
    others[np.arange(len(labels)), labels] = -1
    suggested = np.array(expressions, dtype=object)[others.argmax(axis=1)]
    ranked = faces[[PATH, PIXEL_HASH, LABEL]].assign(
        **{
            SUGGESTED_LABEL: suggested,
            LABEL_QUALITY: quality,
            PROBABILITIES: list(probabilities.astype(np.float32)),
        }
    )
    ranked = ranked.sort_values([LABEL_QUALITY, PATH], ignore_index=True)
    ranked[RANK] = np.arange(1, len(ranked) + 1)
    return ranked[[PATH, PIXEL_HASH, LABEL, SUGGESTED_LABEL, LABEL_QUALITY, RANK, PROBABILITIES]]


def review_queue(ranked: pd.DataFrame, *, budget: int) -> pd.DataFrame:
    """The most doubtful faces, each once: of twins with the same label, the first is asked about.

    Args:
        ranked: As `rank_labels` returns it.
        budget: How many faces the queue holds at most.

    Returns:
        At most `budget` rows, most doubtful first, without the probabilities.
    """
    once = ranked.drop_duplicates([PIXEL_HASH, LABEL])
    return once.head(budget).drop(columns=PROBABILITIES).reset_index(drop=True)


def out_of_sample(folds: list[pd.DataFrame]) -> pd.DataFrame:
    """The scored Training faces of all folds, each exactly once.

    Raises:
        UserError: A face was scored by more than one fold.
    """
    scored = pd.concat(folds, ignore_index=True)
    scored = scored[scored[SOURCE] == TRAINING]
    twice = scored[scored[PATH].duplicated()]
    if len(twice):
        raise stage.UserError(
            f"{len(twice)} faces are scored by more than one fold, such as {twice[PATH].iloc[0]}: "
            "`dvc repro` scores them anew"
        )
    return scored


def main() -> None:
    """Reads the probabilities of all folds, writes the ranking, the queue and its tasks."""
    flags = stage.parse_flags(
        __doc__, "manifest", "pixels", "crossval", "label_quality", "suspects", "label_studio"
    )
    settings = read_settings(MislabelsSettings, "mislabels")
    expressions = read_settings(DataSettings, "data").expressions
    files = sorted(Path(flags.crossval).glob("fold-*.parquet"))
    if not files:
        raise stage.UserError(f"{flags.crossval} holds no fold-K.parquet: `dvc repro` makes them")
    scored = out_of_sample([read_table(file) for file in files])
    manifest, faces = read_faces(flags.manifest, flags.pixels)
    training = manifest.loc[manifest[SOURCE] == TRAINING, [PATH, LABEL]]
    scored = training.merge(scored, on=PATH)
    if len(scored) < len(training):
        raise stage.UserError(
            f"{flags.crossval} scores {len(scored)} of {len(training)} Training faces: the folds "
            "that `crossval` lists in dvc.yaml and `split.num_folds` must agree"
        )
    ranked = rank_labels(
        scored, probabilities_of(scored), expressions=expressions, method=settings.method
    )
    queue = review_queue(ranked, budget=settings.budget)
    write_table(ranked, flags.label_quality)
    with stage.written_beside(flags.suspects) as beside:
        queue.to_csv(beside, index=False)
    row_of_path = pd.Series(np.arange(len(manifest)), index=manifest[PATH])
    tasks = to_tasks(queue, faces[row_of_path.loc[queue[PATH]]])
    with stage.written_beside(flags.label_studio) as beside:
        beside.write_text(json.dumps(tasks, indent=1) + "\n", encoding="utf-8")
    logger.info(
        "mislabels: %d faces ranked, %d queued -> %s", len(ranked), len(queue), flags.suspects
    )


if __name__ == "__main__":
    stage.run(main)
