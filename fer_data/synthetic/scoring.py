"""AUROC of label quality scores against labels that are known to be wrong."""

import numpy as np
from sklearn.metrics import roc_auc_score


def within_class_auroc(wrong: np.ndarray, quality: np.ndarray, labels: np.ndarray) -> float:
    """AUROC of low label quality for wrong labels, within each given class.

    Pooled over the classes the metric flatters: some classes are worse labeled than others, and the
    given class alone tells much.

    Args:
        wrong: bool (N,).
        quality: float (N,), label quality scores.
        labels: (N,), the given labels.

    Returns:
        The mean of the classes' AUROCs, 0 to 1, over the classes that have wrong and right labels; NaN
        if none has.
    """
    aurocs = [
        roc_auc_score(wrong[of_class], -quality[of_class])
        for of_class in (labels == label for label in np.unique(labels))
        if 0 < wrong[of_class].sum() < of_class.sum()
    ]
    return float(np.mean(aurocs)) if aurocs else float("nan")
