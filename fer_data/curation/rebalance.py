"""Decides each face's final label, sample weight and sample count: `examples.parquet`.

Decisions of people come first, then the suspects, then the balance of the classes. Only `train` is
rebalanced; labels of `test` are never changed.
"""

import logging

import numpy as np
import pandas as pd

from fer_data.annotation.apply_decisions import apply_decisions, decisions_on, retired_counts
from fer_data.annotation.decision_log import read_decisions
from fer_data.annotation.decision_marks import MARK, mark_of
from fer_data.annotation.votes import label_shares, read_kept_votes
from fer_data.core.errors import UserError
from fer_data.core.files import atomic_write
from fer_data.core.schema import (
    DECISION,
    DROP,
    EXCLUDED,
    LABEL,
    LABEL_QUALITY,
    PATH,
    PIXEL_HASH,
    SAMPLE_COUNT,
    SAMPLE_WEIGHT,
    SPLIT,
    SPLITS,
    TRAIN,
    VALIDATION,
)
from fer_data.core.tables import read_table, write_table
from fer_data.curation.rebalance_settings import Method, RebalanceSettings
from fer_data.curation.soft_labels import with_label_shares
from fer_data.stages import stage
from fer_data.stages.settings import DataSettings, read_settings

logger = logging.getLogger(__name__)


def curate(
    examples: pd.DataFrame,
    decisions: pd.DataFrame,
    *,
    method: Method,
    min_label_quality: float,
    seed: int,
) -> tuple[pd.DataFrame, dict[str, object]]:
    """Applies decisions, leaves out low label quality and rebalances `train`.

    Args:
        examples: N faces with `path`, `pixel_hash`, `label`, `split` and `label_quality` (NaN where
            none was measured).
        decisions: The last decision on each face: `pixel_hash`, `decision`.
        method: `none`; `class_weight`: each class weighs the same in the loss, with a mean weight of
            1; `oversample`: faces of smaller classes are repeated until all have as many as the
            largest; `undersample`: faces of larger classes are left out until all have as few as
            the smallest.
        min_label_quality: Undecided `train` faces below it are left out.
        seed: Seed of the choice of faces.

    Returns:
        The rows that a split uses, in order: `path`, `pixel_hash`, `label` (final), `split`,
        `sample_weight` (float32, mean 1 over `train`) and `sample_count` (0 for a face left out by
        `undersample`). And a summary: what was decided, left out, and the counts of `train`
        before and after.

    Raises:
        UserError: A class has no `train` face left, or none of the `validation` faces that it had.
    """
    final = apply_decisions(examples, decisions)
    relabeled = final[LABEL] != examples[LABEL]
    dropped = final[DECISION] == DROP
    undecided = (final[SPLIT] == TRAIN) & final[DECISION].isna()
    low_quality = undecided & (examples[LABEL_QUALITY] < min_label_quality)
    curated = final[final[SPLIT].isin(SPLITS) & ~low_quality]

    in_train = (curated[SPLIT] == TRAIN).to_numpy()
    labels = curated.loc[in_train, LABEL]
    before = labels.value_counts().sort_index()
    missing = set(examples[LABEL]) - set(before.index)
    if missing:
        raise UserError(
            f"no 'train' face of '{min(missing)}' is left after decisions and "
            "`rebalance.min_label_quality`: lower it, or revise data/relabels.csv"
        )
    checked = curated.loc[curated[SPLIT] == VALIDATION, LABEL]
    missing = set(examples.loc[examples[SPLIT] == VALIDATION, LABEL]) - set(checked)
    if missing:
        raise UserError(
            f"no 'validation' face of '{min(missing)}' is left after decisions, so that nothing could "
            "be chosen on them: revise data/relabels.csv, or raise `split.validation_fraction`"
        )
    sample_weight = np.ones(len(curated), dtype=np.float32)
    sample_count = np.ones(len(curated), dtype=np.int64)
    if method == "class_weight":
        sample_weight[in_train] = (len(labels) / (len(before) * labels.map(before))).to_numpy()
    elif method in ("oversample", "undersample"):
        target = before.max() if method == "oversample" else before.min()
        sample_count[in_train] = _even_counts(labels, target, seed)

    curated = curated.assign(**{SAMPLE_WEIGHT: sample_weight, SAMPLE_COUNT: sample_count})
    after = curated[in_train].groupby(LABEL)[SAMPLE_COUNT].sum()
    summary: dict[str, object] = {
        "method": method,
        "relabeled": int((relabeled & (examples[SPLIT] != EXCLUDED)).sum()),
        "dropped": int((dropped & (examples[SPLIT] != EXCLUDED)).sum()),
        "left_out_for_label_quality": int(low_quality.sum()),
        "train_before": {str(label): int(count) for label, count in before.items()},
        "train_after": {str(label): int(count) for label, count in after.items()},
    }
    return curated[[PATH, PIXEL_HASH, LABEL, SPLIT, SAMPLE_WEIGHT, SAMPLE_COUNT]], summary


def _even_counts(labels: pd.Series, target: int, seed: int) -> np.ndarray:
    """How often each face is used so that each class has `target` uses; extra ones at random."""
    generator = np.random.default_rng(seed)
    sample_count = np.zeros(len(labels), dtype=np.int64)
    for label in sorted(labels.unique()):
        rows = np.flatnonzero(labels == label)
        whole, extra = divmod(target, len(rows))
        sample_count[rows] = whole
        sample_count[generator.permutation(rows)[:extra]] += 1
    return sample_count


def main() -> None:
    """Reads assignments, label quality, decisions, votes; writes `examples.parquet` and a summary."""
    flags = stage.parse_flags(
        __doc__,
        *("manifest", "assignments", "label_quality", "decisions", "votes"),
        *("examples", "summary"),
    )
    settings = read_settings(RebalanceSettings, "rebalance")
    data = read_settings(DataSettings, "data")
    mark = mark_of(flags.decisions)  # before they are read: rather one too few than one too many
    labels = read_table(flags.manifest)[[PATH, LABEL]]
    quality = read_table(flags.label_quality)[[PATH, LABEL_QUALITY]]
    examples = read_table(flags.assignments).merge(labels, on=PATH).merge(quality, "left", on=PATH)
    decision_log = read_decisions(flags.decisions, expressions=data.known_expressions)
    retired = data.retired_expressions
    decisions = decisions_on(examples, decision_log, file=flags.decisions, retired=retired)
    curated, summary = curate(
        *(examples, decisions), **settings.model_dump(exclude={"soft_labels"})
    )
    if settings.soft_labels:
        shares = label_shares(read_kept_votes(flags.votes), data.expressions)
        if shares.empty:
            raise UserError(
                f"`rebalance.soft_labels` is set, and {flags.votes} has no votes for a class: "
                "`ferflow import-decisions --votes FILE` brings them"
            )
        curated, summary["soft_labels"] = with_label_shares(
            *(curated, shares), decided=set(decisions[PIXEL_HASH]), expressions=data.expressions
        )
    summary["not_applied_as_retired"] = retired_counts(decision_log, retired)
    write_table(curated, flags.examples)
    with atomic_write(flags.summary) as beside:
        text = stage.json_text(summary | {MARK: mark}, of=flags.summary)
        beside.write_text(text, encoding="utf-8")
    logger.info("rebalance: %s -> %s", summary, flags.examples)


if __name__ == "__main__":
    stage.run(main)
