"""Renders the data-quality page: counts, duplicates, checks, the audit and the review queue.

The page is one HTML file, which opens from disk without a network.
"""

import logging
from collections import Counter
from collections.abc import Iterable

import numpy as np
import pandas as pd

from fer_data.annotation.apply_decisions import in_counts, is_retired, retired_counts
from fer_data.annotation.decision_writer import were_made_at_once
from fer_data.annotation.latest_decisions import latest_decisions
from fer_data.annotation.statistics import summarise_decisions
from fer_data.core.files import atomic_write
from fer_data.core.schema import (
    ALL_SPLITS,
    DUPLICATE_GROUP,
    EXCLUSIONS,
    ISSUE_TYPES,
    LABEL,
    LEAK,
    NEAR_DUPLICATE,
    NEAR_GROUP,
    ORIGINAL_SPLIT,
    ORIGINAL_SPLITS,
    PATH,
    PIXEL_HASH,
    REASON,
    SPLIT,
    TESTING,
    TRAIN,
    VALIDATION_EXCLUSIONS,
)
from fer_data.quality_report.agreement import agreement_of
from fer_data.quality_report.audit_results import MIN_COUNTED, audit_result
from fer_data.quality_report.findings import Findings, read_findings
from fer_data.quality_report.quality_report_settings import QualityReportSettings
from fer_data.quality_report.review_outlook import outlook_of
from fer_data.quality_report.thumbnails import (
    disputed_faces,
    duplicates,
    mean_faces,
    spread,
    thumbnails_of,
)
from fer_data.review_queue.queue_statistics import queue_by_class, suspected, undecided
from fer_data.splitting.leaks import excluded_by_class, protocol_of
from fer_data.stages import stage
from fer_data.stages.settings import DataSettings, read_settings
from fer_data.web.html import render_page

logger = logging.getLogger(__name__)

NUM_REJECTED_SHOWN = 20
NUM_DISPUTED_SHOWN = 60
NUM_PAIRS_SHOWN = 20


def quality_page(
    findings: Findings,
    *,
    expressions: tuple[str, ...],
    retired: tuple[str, ...] = (),
    max_faces: int,
    max_pairs: int,
) -> str:
    """Renders the page about the data.

    Args:
        findings: What was found out.
        expressions: The classes, in the page's order.
        retired: Classes that are none any more: decisions that name one are counted, and do not apply.
        max_faces: How many faces of the queue are shown.
        max_pairs: How many groups of duplicates are shown of each sort.

    Returns:
        HTML with everything inlined.
    """
    pixels = findings.pixels
    faces = findings.manifest.assign(
        **{name: findings.assignments[name].to_numpy() for name in (DUPLICATE_GROUP, SPLIT)}
    )
    duplicate_groups = _groups_that_vary(faces, PATH)
    is_testing = faces[ORIGINAL_SPLIT].to_numpy() == TESTING
    conflicting = _groups_that_vary(faces, LABEL)
    leaked = _groups_that_vary(faces.assign(**{ORIGINAL_SPLIT: is_testing}), ORIGINAL_SPLIT)
    near = faces.assign(**{DUPLICATE_GROUP: findings.assignments[NEAR_GROUP].to_numpy()})
    # Those in which the pixels differ, and that are no conflicting duplicates already.
    near_groups = _groups_that_vary(near, PIXEL_HASH)
    of_duplicates = near.loc[np.isin(faces[DUPLICATE_GROUP], conflicting), DUPLICATE_GROUP]
    near_conflicting = np.intersect1d(near_groups, _groups_that_vary(near, LABEL))
    near_conflicting = np.setdiff1d(near_conflicting, of_duplicates)
    harmless = np.setdiff1d(duplicate_groups, np.concatenate([conflicting, leaked]))
    is_leaked = np.isin(faces[DUPLICATE_GROUP].to_numpy(), leaked)
    is_near_leaked = (findings.assignments[LEAK] == NEAR_DUPLICATE).to_numpy() & is_testing
    # Chains of near-duplicates reach further than the faces that are excluded.
    learned = near.loc[(faces[SPLIT] == TRAIN).to_numpy(), DUPLICATE_GROUP]
    is_chained = is_testing & near[DUPLICATE_GROUP].isin(learned).to_numpy()
    excluded = excluded_by_class(findings.manifest, findings.assignments)
    reasons = [one for one in (*EXCLUSIONS, *VALIDATION_EXCLUSIONS) if one in excluded]
    excluded["excluded"] = excluded[reasons].sum(axis=1)
    known = findings.decision_log[PIXEL_HASH].isin(faces[PIXEL_HASH])
    decision_log = findings.decision_log[known]
    decisions = latest_decisions(decision_log)
    agreement = agreement_of(decision_log, retired=retired)
    applying = decisions[~is_retired(decisions, retired)]
    queue = undecided(findings.suspects, applying)
    scored = (findings.label_quality, findings.ranking)
    on_audit = decision_log[PIXEL_HASH].isin(findings.audit[PIXEL_HASH])
    on_audit &= ~were_made_at_once(decision_log)
    return render_page(
        "fer_data.quality_report",
        "quality_report.html.j2",
        folders=_counts(faces, ORIGINAL_SPLIT, rows=expressions, columns=ORIGINAL_SPLITS),
        splits=_counts(faces, SPLIT, rows=expressions, columns=ALL_SPLITS),
        protocol=protocol_of(findings.assignments),
        is_test_drawn=findings.is_test_drawn,
        exclusions=reasons,
        excluded=excluded.reindex(list(expressions), fill_value=0).to_dict("index"),
        mean_faces=mean_faces(faces, pixels, expressions=expressions),
        num_duplicate_groups=len(duplicate_groups),
        num_conflicting=len(conflicting),
        num_leak_groups=len(leaked),
        num_harmless=len(harmless),
        num_leaked=int((is_leaked & is_testing).sum()),
        num_leaking=int((is_leaked & ~is_testing).sum()),
        num_near_groups=len(near_groups),
        num_near_conflicting=len(near_conflicting),
        num_near_leaked=int(is_near_leaked.sum()),
        num_chained=int(is_chained.sum()),
        conflicts=duplicates(faces, pixels, groups=spread(conflicting, max_pairs), differ_in=LABEL),
        near=duplicates(near, pixels, groups=spread(near_conflicting, max_pairs), differ_in=LABEL),
        leaks=duplicates(faces, pixels, groups=spread(leaked, max_pairs), differ_in=ORIGINAL_SPLIT),
        harmless=duplicates(faces, pixels, groups=spread(harmless, max_pairs), differ_in=PATH),
        num_rejected=len(findings.rejected),
        reasons=_tally(findings.rejected[REASON]),
        rejected=findings.rejected.head(NUM_REJECTED_SHOWN).to_dict("records"),
        validation=findings.validation,
        decisions=summarise_decisions(
            decision_log,
            suspected(findings.ranking, queue),
            expressions=expressions,
            retired=retired,
        ),
        agreement=agreement,
        audit=audit_result(findings.audit, applying, *scored, expressions=expressions),
        audit_agreement=agreement_of(decision_log[on_audit], retired=retired),
        audit_needed=MIN_COUNTED,
        outlook=outlook_of(decision_log, applying, *scored, findings.assignments),
        learning=findings.learning,
        disputed=disputed_faces(agreement.disputed, faces, pixels, number=NUM_DISPUTED_SHOWN),
        num_pairs_shown=NUM_PAIRS_SHOWN,
        num_foreign=int((~known & ~is_retired(findings.decision_log, retired)).sum()),
        retired=in_counts(retired_counts(findings.decision_log, retired)),
        waiting=findings.waiting,
        num_queued=len(queue),
        queue=thumbnails_of(queue.head(max_faces), faces, pixels),
        issue_types=ISSUE_TYPES,
        label_issues=queue_by_class(findings.label_quality, queue, expressions=expressions),
    )


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


def main() -> None:
    """Reads what was found out about the faces, writes the page."""
    flags = stage.parse_flags(
        __doc__,
        *("manifest", "pixels", "rejected", "validation", "assignments"),
        *("label_quality", "suspects", "audit", "ranking", "learning"),
        *("decisions", "curated", "page"),
    )
    settings = read_settings(QualityReportSettings, "quality_report")
    data = read_settings(DataSettings, "data")
    findings = read_findings(flags, data)
    page = quality_page(
        findings,
        expressions=data.expressions,
        retired=data.retired_expressions,
        **settings.model_dump(),
    )
    with atomic_write(flags.page) as beside:
        beside.write_text(page, encoding="utf-8")
    logger.info(
        "quality_report: %d faces, %d suspects, %d lines of decisions -> %s",
        *(len(findings.manifest), len(findings.suspects), len(findings.decision_log), flags.page),
    )


if __name__ == "__main__":
    stage.run(main)
