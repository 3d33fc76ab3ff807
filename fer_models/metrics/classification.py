"""Classification metrics: accuracy, loss, F1, AUROC, calibration error, confusion matrix, ROC.

N is the number of faces, K that of the classes, R that of the resamples. A resample is a row of
*counts*: how often it holds each face. A row of ones is the faces themselves, so that the same lines
compute a metric and the resamples for its interval.
"""

import numpy as np
import pandas as pd
from sklearn.metrics import confusion_matrix, roc_curve

from fer_data.core.schema import EXPRESSION, FALSE_POSITIVE_RATE, TRUE_POSITIVE_RATE

SMALLEST_PROBABILITY = 1e-7
"""Where Keras clips probabilities before it takes their logarithm."""


def headline_metrics(
    labels: np.ndarray, probabilities: np.ndarray, counts: np.ndarray, *, num_bins: int
) -> dict[str, np.ndarray]:
    """Computes the headline metrics of R resamples.

    `loss` is the mean cross-entropy in nats, without weight decay. `macro_f1` is the mean of all K
    classes, where a class without faces and predictions counts 0. `macro_auroc` is the mean of the
    classes that have an AUROC, NaN if none has. `calibration_error` is the expected calibration error
    of Guo et al., On Calibration of Modern Neural Networks (2017), section 2, from bins of equal width.

    Args:
        labels: int (N,), 0 to K - 1.
        probabilities: float (N, K), rows sum to 1.
        counts: int (R, N), rows with the same sum, which is not 0.
        num_bins: How many bins of confidence, from 0 to 1.

    Returns:
        For `accuracy`, `loss`, `macro_f1`, `macro_auroc` and `calibration_error`, in this order, the
        metric of each resample: float64 (R,).

    Raises:
        ValueError: The shapes do not fit, labels are not classes, or probabilities are not from 0 to 1.
    """
    _check(labels, probabilities, counts)
    num_faces, num_classes = probabilities.shape
    rows = np.arange(num_faces)
    predictions = probabilities.argmax(axis=1)
    correct = predictions == labels
    confidences = probabilities[rows, predictions].astype(np.float64)
    likelihoods = np.clip(
        probabilities[rows, labels].astype(np.float64),
        SMALLEST_PROBABILITY,
        1 - SMALLEST_PROBABILITY,
    )
    # Bin m holds confidences above (m - 1) / M, up to and with m / M.
    bins = np.clip(np.ceil(confidences * num_bins).astype(np.int64) - 1, 0, num_bins - 1)
    # A matrix with one entry a row: multiplied by counts, the sum of correct - confidence in each bin.
    gaps = np.zeros((num_faces, num_bins))
    gaps[rows, bins] = correct - confidences
    # Likewise for the cells of the confusion matrix, label by label.
    cells = np.zeros((num_faces, num_classes**2))
    cells[rows, labels * num_classes + predictions] = 1

    weights = counts.astype(np.float64)  # whole numbers: their sums are exact, and BLAS takes them
    totals = weights.sum(axis=1)  # (R,)
    confusion = (weights @ cells).reshape(-1, num_classes, num_classes)  # (R, K, K)
    hits = np.diagonal(confusion, axis1=1, axis2=2)  # (R, K)
    labeled_and_predicted = confusion.sum(axis=2) + confusion.sum(axis=1)
    # F1 = 2 TP / (2 TP + FP + FN), and TP + FN are the labeled, TP + FP the predicted faces.
    f1 = _divide(2 * hits, labeled_and_predicted, otherwise=0.0)
    aurocs = auroc_by_class(labels, probabilities, counts)
    defined = ~np.isnan(aurocs)
    return {
        "accuracy": weights @ correct / totals,
        "loss": weights @ -np.log(likelihoods) / totals,
        "macro_f1": f1.mean(axis=1),
        "macro_auroc": _divide(
            np.where(defined, aurocs, 0).sum(axis=1), defined.sum(axis=1), otherwise=np.nan
        ),
        # The mean of |accuracy - confidence| over the bins, weighted by their faces: the number of faces
        # in a bin cancels.
        "calibration_error": np.abs(weights @ gaps).sum(axis=1) / totals,
    }


def auroc_by_class(labels: np.ndarray, probabilities: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Computes the area under the ROC curve of each class against the others, for R resamples.

    By ranks: it is the probability that a face of the class scores higher than a face of another class,
    where a tie counts half (Hanley and McNeil, 1982), that is the Mann-Whitney U statistic over the
    number of pairs. The faces are sorted once a class, not once a resample.

    Args:
        labels: int (N,), 0 to K - 1.
        probabilities: float (N, K).
        counts: int (R, N).

    Returns:
        float64 (R, K), 0 to 1; NaN where a resample has only faces of the class, or none.

    Raises:
        ValueError: The shapes do not fit, labels are not classes, or probabilities are not from 0 to 1.
    """
    _check(labels, probabilities, counts)
    columns: list[np.ndarray] = []
    for number, scores in enumerate(probabilities.T):
        order = np.argsort(scores)
        scores = scores[order]
        of_class = labels[order] == number
        # (R, N): how often each resample holds each face of another class, by rising score.
        others = np.where(of_class, 0, counts[:, order])
        # others_below[:, i]: how many faces of other classes are among the i lowest scores.
        others_below = np.pad(np.cumsum(others, axis=1), ((0, 0), (1, 0)))  # (R, N + 1)
        # For each face of the class: the ranks at which scores equal to its own begin and end.
        first = np.searchsorted(scores, scores[of_class], side="left")
        last = np.searchsorted(scores, scores[of_class], side="right")
        # The others with a lower score, and half of those with an equal one: the mean of both counts.
        beaten = (others_below[:, first] + others_below[:, last]) / 2
        weights = counts[:, order[of_class]]
        # Faces of the class times faces of the others, as often as the resample holds them.
        pairs = weights.sum(axis=1) * others_below[:, -1]
        columns.append(_divide((weights * beaten).sum(axis=1), pairs, otherwise=np.nan))
    return np.stack(columns, axis=1)


def confusion_counts(labels: np.ndarray, predictions: np.ndarray, num_classes: int) -> np.ndarray:
    """Counts the faces of each label and prediction: int64 (K, K), a row a label.

    Raises:
        ValueError: `labels` and `predictions`, (N,), differ in length.
    """
    if labels.shape != predictions.shape:
        raise ValueError(f"got labels {labels.shape} and predictions {predictions.shape}")
    return confusion_matrix(labels, predictions, labels=range(num_classes))


def class_metrics(
    labels: np.ndarray, probabilities: np.ndarray, *, expressions: tuple[str, ...]
) -> dict[str, dict[str, float | None]]:
    """Computes precision, recall, F1, AUROC and number of faces of each class.

    Args:
        labels: int (N,), 0 to K - 1.
        probabilities: float (N, K).
        expressions: The K classes, in the order of the columns.

    Returns:
        For each expression `precision`, `recall`, `f1`, `auroc` and `faces`. Metrics that would
        divide by 0, such as the recall of a class without faces, are 0 as with scikit-learn's
        `zero_division=0`; its AUROC is None.

    Raises:
        ValueError: The shapes do not fit, labels are not classes, or probabilities are not from 0 to 1.
    """
    _check_classes(probabilities, expressions)
    aurocs = auroc_by_class(labels, probabilities, np.ones((1, len(labels)), np.int64))[0]
    confusion = confusion_counts(labels, probabilities.argmax(axis=1), len(expressions))
    hits, labeled, predicted = np.diagonal(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    precisions = _divide(hits, predicted, otherwise=0.0)
    recalls = _divide(hits, labeled, otherwise=0.0)
    f1s = _divide(2 * hits, labeled + predicted, otherwise=0.0)
    return {
        expression: {
            "precision": float(precisions[number]),
            "recall": float(recalls[number]),
            "f1": float(f1s[number]),
            "auroc": None if np.isnan(aurocs[number]) else float(aurocs[number]),
            "faces": int(labeled[number]),
        }
        for number, expression in enumerate(expressions)
    }


def roc_points(
    labels: np.ndarray,
    probabilities: np.ndarray,
    *,
    expressions: tuple[str, ...],
    max_points: int = 200,
) -> pd.DataFrame:
    """Computes the ROC curve of each class against the others, thinned for plotting.

    Args:
        labels: int (N,), 0 to K - 1.
        probabilities: float (N, K).
        expressions: The K classes, in the order of the columns.
        max_points: How many points a curve keeps at most, evenly along it, both ends among them.

    Returns:
        `expression`, `false_positive_rate` and `true_positive_rate`, one row a point. A class of which
        there are no faces, or only faces, has no curve.

    Raises:
        ValueError: The shapes do not fit.
    """
    _check_classes(probabilities, expressions)
    curves: list[pd.DataFrame] = []
    for number, expression in enumerate(expressions):
        of_class = labels == number
        if of_class.all() or not of_class.any():
            continue
        false_rates, true_rates, _ = roc_curve(of_class, probabilities[:, number])
        # Thinned evenly along both axes at once: the curve can be steep in either.
        along = false_rates + true_rates  # from 0 to 2, never falling
        thinned = np.unique(np.searchsorted(along, np.linspace(0, along[-1], max_points)))
        curve = {FALSE_POSITIVE_RATE: false_rates[thinned], TRUE_POSITIVE_RATE: true_rates[thinned]}
        curves.append(pd.DataFrame({EXPRESSION: expression, **curve}))
    columns = [EXPRESSION, FALSE_POSITIVE_RATE, TRUE_POSITIVE_RATE]
    return pd.concat(curves, ignore_index=True) if curves else pd.DataFrame(columns=columns)


def _divide(above: np.ndarray, below: np.ndarray, *, otherwise: float) -> np.ndarray:
    return np.divide(above, below, out=np.full(above.shape, otherwise), where=below != 0)


def _check_classes(probabilities: np.ndarray, expressions: tuple[str, ...]) -> None:
    if probabilities.ndim != 2 or probabilities.shape[1] != len(expressions):
        raise ValueError(
            f"got probabilities {probabilities.shape} for {len(expressions)} expressions: "
            f"expected (N, {len(expressions)})"
        )


def _check(labels: np.ndarray, probabilities: np.ndarray, counts: np.ndarray) -> None:
    num_faces = len(labels)
    if labels.ndim != 1 or probabilities.ndim != 2 or len(probabilities) != num_faces:
        raise ValueError(
            f"got labels {labels.shape} and probabilities {probabilities.shape}: "
            "expected (N,) and (N, K)"
        )
    if counts.ndim != 2 or counts.shape[1] != num_faces:
        raise ValueError(
            f"got labels {labels.shape} and counts {counts.shape}: expected (N,) and (R, N)"
        )
    num_classes = probabilities.shape[1]
    if num_faces and not 0 <= labels.min() <= labels.max() < num_classes:
        raise ValueError(
            f"got labels from {labels.min()} to {labels.max()}, expected 0 to {num_classes - 1}"
        )
    if not np.all((probabilities >= 0) & (probabilities <= 1 + 1e-6)):
        raise ValueError("got probabilities that are NaN or not from 0 to 1")
