import numpy as np
import pytest

from fer_data.synthetic.scoring import within_class_auroc


def test_a_class_that_is_worse_labeled_does_not_flatter() -> None:
    labels = np.repeat(["fear", "happy"], 100)
    wrong = np.concatenate([np.arange(100) < 50, np.arange(100) < 5])
    by_class_alone = np.where(labels == "fear", 0.1, 0.9)
    assert within_class_auroc(wrong, by_class_alone, labels) == 0.5
    assert within_class_auroc(wrong, 1.0 - wrong, labels) == 1.0


def test_classes_count_alike_and_those_without_wrong_labels_not_at_all() -> None:
    labels = np.array(["sad"] * 4 + ["happy"] * 2 + ["fear"] * 3)
    wrong = np.array([1, 0, 0, 0, 1, 0, 0, 0, 0], bool)
    quality = np.array([0.5, 0.4, 0.6, 0.7, 0.1, 0.9, 0.1, 0.2, 0.3])
    assert within_class_auroc(wrong, quality, labels) == pytest.approx((2 / 3 + 1) / 2)
    assert np.isnan(within_class_auroc(np.zeros(9, bool), quality, labels))
