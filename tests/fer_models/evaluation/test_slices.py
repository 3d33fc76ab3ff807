import numpy as np
import pandas as pd
import pytest

from fer_data.core.errors import UserError
from fer_models.evaluation.slices import (
    accuracy_by_quarter,
    accuracy_of_part,
    image_qualities,
    label_qualities,
)


def test_qualities_of_flat_and_striped_images() -> None:
    flat = np.full((48, 48), 200, np.uint8)
    stripes = np.tile(np.array([0, 255], np.uint8), (48, 24))
    halves = np.repeat(np.array([0, 255], np.uint8), 24)[None].repeat(48, axis=0)
    found = image_qualities(np.stack([flat, stripes, halves])[..., None])
    assert found["brightness"].tolist() == [200, 127.5, 127.5]
    assert found["contrast"].tolist() == [0, 127.5, 127.5]
    assert found["sharpness"][0] == 0
    # Of stripes the Laplacian is +-510 everywhere; of halves, +-255 in two of 46 columns.
    assert found["sharpness"][1:] == pytest.approx([510**2, 255**2 * 2 / 46])


def test_a_blurred_face_is_less_sharp() -> None:
    face = np.random.default_rng(0).integers(0, 256, (1, 48, 48)).astype(np.uint8)
    blurred = (face[:, :-1].astype(int) + face[:, 1:]) // 2
    sharp, soft = (image_qualities(one)["sharpness"][0] for one in (face, blurred))
    assert soft < sharp / 2


def test_quarters_hold_the_faces_in_order_with_their_accuracy() -> None:
    values = np.random.default_rng(0).permutation(np.arange(400.0))
    found = accuracy_by_quarter(values >= 150, {"brightness": values}, num_resamples=200, seed=0)[
        "brightness"
    ]
    assert [quarter["faces"] for quarter in found] == [100] * 4
    assert [(quarter["from"], quarter["to"]) for quarter in found] == [
        (0, 99), (100, 199), (200, 299), (300, 399),
    ]  # fmt: skip
    assert [quarter["accuracy"]["value"] for quarter in found] == [0, 0.5, 1, 1]
    half = found[1]["accuracy"]
    assert 0.37 < half["low"] < 0.44
    assert 0.56 < half["high"] < 0.63


def test_faces_of_equal_value_stay_together() -> None:
    values = np.array([0.0] * 9 + [1.0])
    found = accuracy_by_quarter(values == 0, {"contrast": values}, num_resamples=100, seed=0)
    assert [quarter["faces"] for quarter in found["contrast"]] == [9, 1]
    assert [quarter["accuracy"]["value"] for quarter in found["contrast"]] == [1, 0]


def test_label_qualities_are_in_the_order_of_the_faces() -> None:
    rated = pd.DataFrame({"path": ["a", "b", "c"], "label_quality": [0.1, 0.2, 0.3]})
    assert label_qualities(rated, ["c", "a"])["label_quality"].tolist() == [0.3, 0.1]


def test_a_face_without_a_label_quality_is_named() -> None:
    rated = pd.DataFrame({"path": ["a"], "label_quality": [0.1]})
    with pytest.raises(UserError, match="1 of 2 test faces have no label_quality, such as b: `dvc"):
        label_qualities(rated, ["a", "b"])


def test_a_part_without_faces_has_no_accuracy() -> None:
    correct = np.array([True, False, True, True])
    inside = np.array([True, True, False, False])
    part = accuracy_of_part(correct, inside, num_resamples=100, seed=0)
    assert part["faces"] == 2
    assert part["accuracy"]["value"] == 0.5
    none = accuracy_of_part(correct, np.zeros(4, bool), num_resamples=100, seed=0)
    assert none == {"faces": 0, "accuracy": dict.fromkeys(("value", "low", "high"))}
