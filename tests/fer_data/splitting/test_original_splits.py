"""Archives with a Validation folder of their own, and those without Testing."""

import logging

import numpy as np
import pandas as pd
import pytest

from fer_data.core.errors import UserError
from fer_data.core.schema import GIVEN_VALIDATION, TESTING, TRAINING
from fer_data.core.tables import original_splits
from fer_data.splitting.drawn_test import draw_test
from fer_data.splitting.leaks import check_excluded, excluded_by_class, protocol_of
from fer_data.splitting.split import assign_splits
from tests.support.data.manifests import manifest_of, noise_faces, plain_manifest

SETTINGS = {"validation_fraction": 0.1, "num_folds": 5, "exclude_leaks": True, "seed": 0}
NO_PAIRS = np.empty((0, 2), np.int64)


def given(exclude_leaks: bool) -> tuple[pd.DataFrame, pd.DataFrame]:
    """120 Training, 15 Validation and 15 Testing faces with duplicates across them, and their splits.

    Row 150 is 0 in Validation, 151 is 120 (of Validation) in Testing, 152 is 40 in both; 10 is
    nearly 121 of Validation, 20 nearly 140 of Testing, 30 nearly both, 31 nearly 30 alone.
    """
    rows, faces = plain_manifest()
    splits = [*rows["original_split"]]
    splits[120:135] = [GIVEN_VALIDATION] * 15
    labels = [
        *(["happy"] * 40),
        *(["neutral"] * 40),
        *(["sad"] * 40),
        *(["happy", "neutral", "sad"] * 10),
    ]
    copies = [(0, GIVEN_VALIDATION), (120, TESTING), (40, GIVEN_VALIDATION), (40, TESTING)]
    manifest = manifest_of(
        [*faces, *(faces[row] for row, _ in copies)],
        [*splits, *(split for _, split in copies)],
        [*labels, *(labels[row] for row, _ in copies)],
    )
    pairs = np.array([[10, 121], [20, 140], [30, 122], [30, 141], [30, 31]])
    return manifest, assign_splits(manifest, pairs, **{**SETTINGS, "exclude_leaks": exclude_leaks})


def test_a_validation_folder_is_validation_as_it_is() -> None:
    manifest, rows = given(exclude_leaks=True)
    of_validation = rows[manifest["original_split"] == GIVEN_VALIDATION]
    assert of_validation["split"].value_counts().to_dict() == {"validation": 15, "excluded": 2}
    assert set(rows.loc[rows["split"] == "validation"].index) <= set(of_validation.index)
    assert ((rows["split"] == "test") == (manifest["original_split"] == TESTING)).all()


def test_no_face_learned_from_stands_in_validation_or_in_testing() -> None:
    _, rows = given(exclude_leaks=True)
    excluded = rows.loc[rows["split"] == "excluded", "exclusion"]
    assert excluded.to_dict() == {
        0: "duplicate in Validation",
        10: "near-duplicate in Validation",
        20: "near-duplicate in Testing",
        30: "near-duplicate in Testing",
        40: "duplicate in Testing",
        120: "duplicate in Testing",
        152: "duplicate in Testing",
    }
    assert rows.loc[31, "split"] == "train"  # by a chain alone
    assert (rows.loc[rows["split"] != "excluded", "exclusion"] == "").all()


def test_the_paper_s_protocol_keeps_validation_apart_all_the_same() -> None:
    _, rows = given(exclude_leaks=False)
    excluded = rows.loc[rows["split"] == "excluded", "exclusion"]
    assert excluded.to_dict() == {
        0: "duplicate in Validation",
        10: "near-duplicate in Validation",
        30: "near-duplicate in Validation",
        40: "duplicate in Validation",
    }
    assert list(rows.loc[[20, 120, 152], "split"]) == ["train", "validation", "validation"]


def test_validation_faces_have_folds_with_their_duplicates() -> None:
    manifest, rows = given(exclude_leaks=True)
    others = rows[manifest["original_split"] != TESTING]
    assert (others["fold"] >= 0).all()
    assert others.groupby("near_group")["fold"].nunique().max() == 1
    assert (rows.loc[manifest["original_split"] == TESTING, "fold"] == -1).all()


def test_what_validation_costs_is_counted_and_limited() -> None:
    manifest, rows = given(exclude_leaks=True)
    counts = excluded_by_class(manifest, rows)
    assert counts.loc["happy"].to_dict() == {
        "faces": 46,
        "duplicate in Testing": 1,
        "near-duplicate in Testing": 2,
        "duplicate in Validation": 1,
        "near-duplicate in Validation": 1,
        "near_fraction": round(3 / 46, 4),
    }
    with pytest.raises(UserError, match=r"of Testing or Validation faces .*: 3 of 46 of 'happy'"):
        check_excluded(counts, max_fraction=0.05)


def without_testing(num_classes: int = 3) -> pd.DataFrame:
    """Training faces alone: 40 of each class, the first ten of each twice."""
    faces = noise_faces(40 * num_classes)
    labels = [f"class_{chr(97 + number)}" for number in range(num_classes) for _ in range(40)]
    copied = [row for row in range(len(labels)) if row % 40 < 10]
    return manifest_of(
        [*faces, *faces[copied]],
        [TRAINING] * (len(labels) + len(copied)),
        [*labels, *(labels[row] for row in copied)],
    )


@pytest.mark.parametrize("num_classes", [2, 7, 8])
def test_a_test_is_drawn_evenly_and_said_loudly(
    num_classes: int, caplog: pytest.LogCaptureFixture
) -> None:
    manifest = without_testing(num_classes)
    with caplog.at_level(logging.WARNING):
        placed = draw_test(manifest, NO_PAIRS, test_fraction=0.25, seed=0)
    testing = placed[placed["original_split"] == TESTING]
    assert (
        testing.drop_duplicates("pixel_hash")["label"].value_counts().tolist() == [10] * num_classes
    )
    assert f"no Testing folder: {len(testing)} of {len(manifest)} faces were drawn" in caplog.text
    assert (manifest["original_split"] == TRAINING).all()  # not changed itself


def test_a_drawn_test_shares_no_group_with_what_is_learned_from() -> None:
    manifest = without_testing()
    pairs = np.array([[row, row + 1] for row in range(20, 40, 2)] + [[0, 60]])
    placed = draw_test(manifest, pairs, test_fraction=0.3, seed=1)
    rows = assign_splits(placed, pairs, **SETTINGS)
    assert rows.groupby("near_group")["split"].nunique().max() == 1
    assert rows.groupby("pixel_hash")["split"].nunique().max() == 1
    assert (rows["leak"] == "").all()
    assert set(rows["split"]) == {"train", "validation", "test"}
    assert protocol_of(rows).startswith("leak-free")
    # What reads the manifest later sees the same Testing.
    assert (original_splits(manifest, rows) == placed["original_split"]).all()


def test_the_seed_and_the_fraction_decide() -> None:
    manifest = without_testing()
    draws = [
        draw_test(manifest, NO_PAIRS, test_fraction=fraction, seed=seed)["original_split"]
        for fraction, seed in ((0.2, 0), (0.2, 0), (0.2, 1), (0.4, 0))
    ]
    assert (draws[0] == draws[1]).all()
    assert (draws[0] != draws[2]).any()
    assert (draws[0] == TESTING).sum() < (draws[3] == TESTING).sum()


def test_no_test_is_drawn_from_a_validation_folder_s_duplicates() -> None:
    manifest = without_testing()
    validation = manifest.index < 30
    manifest["original_split"] = np.where(validation, GIVEN_VALIDATION, TRAINING)
    pairs = np.array([[0, 35]])
    placed = draw_test(manifest, pairs, test_fraction=0.5, seed=0)
    testing = placed[placed["original_split"] == TESTING]
    assert len(testing)
    assert not set(testing["pixel_hash"]) & set(manifest.loc[validation, "pixel_hash"])
    assert 35 not in testing.index


def test_an_archive_with_a_testing_folder_is_left_as_it_is() -> None:
    manifest, _ = plain_manifest()
    assert draw_test(manifest, NO_PAIRS, test_fraction=0.5, seed=0) is manifest


def test_too_few_faces_for_a_test_are_one_line() -> None:
    """Nine faces."""
    manifest = manifest_of(noise_faces(9), [TRAINING] * 9, ["happy", "sad", "fear"] * 3)
    with pytest.raises(
        UserError, match=r"`split.test_fraction` \(0.2\) of 9 different Training faces"
    ):
        draw_test(manifest, NO_PAIRS, test_fraction=0.2, seed=0)
