"""Label quality scores of the Testing faces, for slices of the evaluation.

Only evaluation uses the scores: Testing faces are never queued, relabeled or excluded.
"""

import numpy as np
import pandas as pd

from fer_data.core.schema import LABEL, LABEL_QUALITY, ORIGINAL_SPLIT, PATH, TESTING
from fer_data.core.tables import probabilities_of
from fer_data.label_quality.scores import label_quality_scores


def heldout_label_quality(
    scored: pd.DataFrame, manifest: pd.DataFrame, *, expressions: tuple[str, ...], method: str
) -> pd.DataFrame:
    """Scores each Testing label by the mean probabilities of all folds' networks.

    No network learned from a Testing face or its exact duplicates. Near-duplicates have no say,
    since those in Training were learned from.

    Args:
        scored: The predictions of all folds for their faces and the Testing faces: `path`,
            `original_split` and `probabilities`, (K,).
        manifest: `path` and `label` of at least the Testing faces.
        expressions: The K classes, in the order of the probabilities.
        method: The score, see `scores.label_quality_scores`.

    Returns:
        One row a Testing face, by path: `path` and `label_quality`, 0 to 1, low is bad.
    """
    testing = scored[scored[ORIGINAL_SPLIT] == TESTING]
    predicted = pd.DataFrame(probabilities_of(testing).astype(np.float64), index=testing[PATH])
    mean = predicted.groupby(level=PATH).mean()
    numbers = {expression: number for number, expression in enumerate(expressions)}
    labels = manifest.set_index(PATH)[LABEL].loc[mean.index].map(numbers).to_numpy(np.int64)
    quality = label_quality_scores(labels, mean.to_numpy(), method=method)
    return pd.DataFrame({PATH: mean.index, LABEL_QUALITY: quality})
