"""Reads the inputs of the data-quality page."""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fer_data.annotation.apply_decisions import is_retired, known_faces
from fer_data.annotation.decision_log import read_decisions
from fer_data.annotation.decision_marks import MARK, in_words
from fer_data.core.errors import UserError
from fer_data.core.face_store import read_faces
from fer_data.core.schema import LABEL_QUALITY, ORIGINAL_SPLIT, PATH, RANK, TESTING
from fer_data.core.tables import original_splits, read_csv, read_json, read_table
from fer_data.review_queue.audit import read_audit
from fer_data.stages.settings import DataSettings


@dataclass(frozen=True)
class Findings:
    """The inputs of the page about N faces."""

    manifest: pd.DataFrame
    """N rows; what `split` drew as `test` is of Testing."""
    pixels: np.ndarray
    """uint8 (N, 48, 48), in the manifest's order; may be memory-mapped."""
    rejected: pd.DataFrame
    """`path` and `reason` of each refused member of the archive."""
    validation: dict[str, Any]
    """The summary of `validate`: `faces`, `baseline`, `expectations`."""
    assignments: pd.DataFrame
    """N rows in the manifest's order: `duplicate_group`, `near_group`, `split`, `exclusion`, `leak`."""
    label_quality: pd.DataFrame
    """Each scored face, as `mislabels` ranks it: `label_quality`, `rank`, `issue_type`, ..."""
    suspects: pd.DataFrame
    """The review queue: a row for each face that waited when it was made."""
    audit: pd.DataFrame
    """The audit sample, as `audit.draw_audit` drew it."""
    ranking: pd.DataFrame
    """Each scored face, as the queue ranks it: `label_quality`, `rank`, `wrong_probability`, ..."""
    learning: dict[str, Any]
    """What the queue goes by, and why, as `learned_ranking.learn_ranking` says."""
    decision_log: pd.DataFrame
    """All decisions, in the order in which they were made; not all of them need to stand."""
    is_test_drawn: bool = False
    """Whether the archive has no Testing folder, so that `split` drew one."""
    waiting: str = ""
    """Which of them are not in the curated examples, in words."""


def _read_text_table(file: Path) -> pd.DataFrame:
    """A CSV file whose columns are text, save the numbers of the queue."""
    table = read_csv(file, dtype=str)
    numbers = {name: of for name, of in ((LABEL_QUALITY, float), (RANK, int)) if name in table}
    return table.astype(numbers)


def read_findings(flags: argparse.Namespace, data: DataSettings) -> Findings:
    """Reads the files that the flags name.

    Args:
        flags: Those of the stage `quality_report`, a file each.
        data: The section `data`: which expressions a decision may name.

    Raises:
        UserError: A file is missing or broken, or two of them are of different faces.
    """
    manifest, pixels = read_faces(flags.manifest, flags.pixels)
    assignments = read_table(flags.assignments)
    if list(assignments[PATH]) != list(manifest[PATH]):
        raise UserError(
            f"{flags.assignments} and {flags.manifest} list different faces: run `dvc repro`"
        )
    decision_log = read_decisions(flags.decisions, expressions=data.known_expressions)
    applying = decision_log[~is_retired(decision_log, data.retired_expressions)]
    known_faces(applying, manifest, file=flags.decisions)  # says in the log what the page says too
    placed = manifest.assign(**{ORIGINAL_SPLIT: original_splits(manifest, assignments)})
    return Findings(
        manifest=placed,
        is_test_drawn=not (manifest[ORIGINAL_SPLIT] == TESTING).any(),
        pixels=pixels,
        rejected=_read_text_table(flags.rejected),
        validation=read_json(flags.validation),
        assignments=assignments,
        label_quality=read_table(flags.label_quality),
        suspects=_read_text_table(flags.suspects),
        audit=read_audit(flags.audit),
        ranking=read_table(flags.ranking),
        learning=read_json(flags.learning),
        decision_log=decision_log,
        waiting=in_words(read_json(flags.curated).get(MARK), flags.decisions),
    )
