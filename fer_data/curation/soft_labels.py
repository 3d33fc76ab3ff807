"""Gives `train` faces the shares of their votes as soft labels."""

from collections.abc import Collection

import numpy as np
import pandas as pd

from fer_data.core.schema import LABEL, LABEL_SHARES, PIXEL_HASH, SPLIT, TEST, TRAIN


def with_label_shares(
    examples: pd.DataFrame,
    shares: pd.DataFrame,
    *,
    decided: Collection[str],
    expressions: tuple[str, ...],
) -> tuple[pd.DataFrame, int]:
    """Adds the column `label_shares`: what each class is of a face's label.

    A `train` face has the shares of its votes, any other face its final label alone. So has a face that
    `test` holds too, since nothing learns from votes on Testing, and one of which a person decided
    otherwise than most of the votes.

    Args:
        examples: N rows with `pixel_hash`, `label` (final) and `split`.
        shares: By pixel hash, a column for each of the K classes: as `label_shares` returns them.
        decided: The pixel hashes of the faces on which a decision stands.
        expressions: The K classes, in the order of the shares.

    Returns:
        The rows with `label_shares`, K numbers with the sum 1; and how many have the shares of votes.
    """
    columns = pd.Index(expressions)
    hard = np.eye(len(expressions), dtype=np.float32)[columns.get_indexer(examples[LABEL])]
    found = shares[list(expressions)].reindex(examples[PIXEL_HASH]).to_numpy(np.float32)
    tested = examples.loc[examples[SPLIT] == TEST, PIXEL_HASH]
    hashes = examples[PIXEL_HASH]
    of_label = (found * hard).sum(axis=1)
    is_contradicted = hashes.isin(list(decided)) & (of_label < found.max(axis=1))
    is_soft = (
        (examples[SPLIT] == TRAIN)
        & hashes.isin(shares.index)
        & ~hashes.isin(tested)
        & ~is_contradicted
    ).to_numpy()
    mixed = np.where(is_soft[:, np.newaxis], found, hard)
    return examples.assign(**{LABEL_SHARES: list(mixed)}), int(is_soft.sum())
