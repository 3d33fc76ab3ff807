"""Shows people the state of the data on one page: counts, twins, checks and the review queue.

In come the faces and what `ingest`, `validate`, `split`, `mislabels` and people found out about them;
out goes one HTML file that opens from disk without a network.
"""

import argparse
import logging
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import Field

from fer_data import stage
from fer_data.faces import read_faces
from fer_data.galleries import mean_faces, pictured, spread, twins
from fer_data.page import render_page
from fer_data.params import DataSettings, Settings, read_settings
from fer_data.relabels import read_decisions
from fer_data.schema import (
    DUPLICATE_GROUP,
    EXCLUSION,
    LABEL,
    LABEL_QUALITY,
    PATH,
    PIXEL_HASH,
    RANK,
    REASON,
    ROLE,
    ROLES,
    SOURCE,
    SOURCES,
    SUGGESTED_LABEL,
    TESTING,
)
from fer_data.tables import read_csv, read_json, read_table

logger = logging.getLogger(__name__)

NUM_REJECTED_SHOWN = 20


class QualityReportSettings(Settings):
    """Section `quality_report`."""

    max_faces: int = Field(ge=0, le=2000)
    """How many faces of the review queue are shown as pictures, 3 kB each; the most doubtful first."""
    max_pairs: int = Field(ge=0, le=300)
    """How many groups of twins with conflicting labels are shown, and as many leaks."""


@dataclass(frozen=True)
class Findings:
    """What the stages and people found out about N faces."""

    manifest: pd.DataFrame
    """N rows."""
    pixels: np.ndarray
    """uint8 (N, 48, 48), in the manifest's order; may be memory-mapped."""
    rejected: pd.DataFrame
    """`path` and `reason` of each refused member of the archive."""
    validation: dict[str, Any]
    """The summary of `validate`: `success`, `faces`, `expectations`."""
    assignments: pd.DataFrame
    """N rows in the manifest's order: `duplicate_group`, `role`, `exclusion`."""
    label_quality: pd.DataFrame
    """`label` and `label_quality` of each scored face."""
    suspects: pd.DataFrame
    """The review queue, decided faces included: a row for each suspect."""
    decisions: pd.DataFrame
    """The last decision on each face."""


def quality_page(
    findings: Findings, *, expressions: tuple[str, ...], max_faces: int, max_pairs: int
) -> str:
    """The page about the data.

    Args:
        findings: What was found out.
        expressions: The classes, in the page's order.
        max_faces: How many faces of the queue are shown.
        max_pairs: How many conflicting groups of twins are shown, and as many leaks.

    Returns:
        HTML with everything inlined.
    """
    pixels = findings.pixels
    faces = findings.manifest.assign(
        **{name: findings.assignments[name].to_numpy() for name in (DUPLICATE_GROUP, ROLE)}
    )
    conflicting, leaked = _groups_that_vary(faces, LABEL), _groups_that_vary(faces, SOURCE)
    is_leaked = np.isin(faces[DUPLICATE_GROUP].to_numpy(), leaked)
    is_testing = faces[SOURCE].to_numpy() == TESTING
    queue = undecided(findings.suspects, findings.decisions)
    return render_page(
        "fer_data",
        "quality_report.html.j2",
        folders=_counts(faces, SOURCE, rows=expressions, columns=SOURCES),
        roles=_counts(faces, ROLE, rows=expressions, columns=ROLES),
        exclusions=_tally(name for name in findings.assignments[EXCLUSION] if name),
        mean_faces=mean_faces(faces, pixels, expressions=expressions),
        num_twin_groups=len(_groups_that_vary(faces, PATH)),
        num_conflicting=len(conflicting),
        num_leak_groups=len(leaked),
        num_leaked=int((is_leaked & is_testing).sum()),
        num_leaking=int((is_leaked & ~is_testing).sum()),
        conflicts=twins(faces, pixels, groups=spread(conflicting, max_pairs), differ_in=LABEL),
        leaks=twins(faces, pixels, groups=spread(leaked, max_pairs), differ_in=SOURCE),
        num_rejected=len(findings.rejected),
        reasons=_tally(findings.rejected[REASON]),
        rejected=findings.rejected.head(NUM_REJECTED_SHOWN).to_dict("records"),
        validation=findings.validation,
        num_decisions=len(findings.decisions),
        num_suspects=len(findings.suspects),
        num_queued=len(queue),
        queue=pictured(queue.head(max_faces), faces, pixels),
        doubts=_doubts(findings.label_quality, queue, expressions),
    )


def undecided(suspects: pd.DataFrame, decisions: pd.DataFrame) -> pd.DataFrame:
    """The suspects whose face nobody has decided on, the most doubtful first.

    Args:
        suspects: Rows with `pixel_hash` and `rank`.
        decisions: Rows with `pixel_hash`.
    """
    return suspects.loc[~suspects[PIXEL_HASH].isin(decisions[PIXEL_HASH])].sort_values(RANK)


def _counts(
    faces: pd.DataFrame, column: str, *, rows: tuple[str, ...], columns: tuple[str, ...]
) -> dict[str, dict[str, int]]:
    """For each label, how many faces have each value of a column; zeros included."""
    pairs = Counter(zip(faces[LABEL], faces[column], strict=True))
    return {row: {name: pairs[row, name] for name in columns} for row in rows}


def _groups_that_vary(faces: pd.DataFrame, column: str) -> np.ndarray:
    """The duplicate groups, ascending, whose faces do not all have the same value in a column."""
    pairs = faces[[DUPLICATE_GROUP, column]].drop_duplicates()
    groups, num_values = np.unique(np.asarray(pairs[DUPLICATE_GROUP]), return_counts=True)
    return groups[num_values > 1]


def _tally(names: Iterable[str]) -> dict[str, int]:
    """How often each name occurs, the most frequent first."""
    return dict(Counter(names).most_common())


def _doubts(
    label_quality: pd.DataFrame, queue: pd.DataFrame, expressions: tuple[str, ...]
) -> list[dict[str, Any]]:
    """For each class: how many faces were scored and queued, and what is suggested instead."""
    rows: list[dict[str, Any]] = []
    for expression in expressions:
        scores = label_quality.loc[label_quality[LABEL] == expression, LABEL_QUALITY]
        suggested = queue.loc[queue[LABEL] == expression, SUGGESTED_LABEL]
        rows.append(
            {
                "expression": expression,
                "scored": len(scores),
                "median": float(scores.median()) if len(scores) else None,
                "queued": len(suggested),
                "suggestions": _tally(suggested),
            }
        )
    return rows


def _read_text_table(file: Path) -> pd.DataFrame:
    """A CSV file whose columns are text, save the numbers of the queue."""
    table = read_csv(file, dtype=str)
    numbers = {name: kind for name, kind in ((LABEL_QUALITY, float), (RANK, int)) if name in table}
    return table.astype(numbers)


def _read_findings(flags: argparse.Namespace, expressions: tuple[str, ...]) -> Findings:
    manifest, pixels = read_faces(flags.manifest, flags.pixels)
    assignments = read_table(flags.assignments)
    if list(assignments[PATH]) != list(manifest[PATH]):
        raise stage.UserError(
            f"{flags.assignments} and {flags.manifest} list different faces: run `dvc repro`"
        )
    return Findings(
        manifest=manifest,
        pixels=pixels,
        rejected=_read_text_table(flags.rejected),
        validation=read_json(flags.validation),
        assignments=assignments,
        label_quality=read_table(flags.label_quality),
        suspects=_read_text_table(flags.suspects),
        decisions=read_decisions(flags.relabels, manifest, expressions=expressions),
    )


def main() -> None:
    """Reads what was found out about the faces, writes the page."""
    flags = stage.parse_flags(
        __doc__,
        *("manifest", "pixels", "rejected", "validation", "assignments"),
        *("label_quality", "suspects", "relabels", "page"),
    )
    settings = read_settings(QualityReportSettings, "quality_report")
    expressions = read_settings(DataSettings, "data").expressions
    findings = _read_findings(flags, expressions)
    page = quality_page(findings, expressions=expressions, **settings.model_dump())
    with stage.written_beside(flags.page) as beside:
        beside.write_text(page, encoding="utf-8")
    logger.info(
        "quality_report: %d faces, %d suspects, %d decisions -> %s",
        *(len(findings.manifest), len(findings.suspects), len(findings.decisions), flags.page),
    )


if __name__ == "__main__":
    stage.run(main)
