import numpy as np
import pandas as pd
import pytest

from fer_data.core.errors import UserError
from fer_data.core.schema import TESTING, TRAINING
from fer_data.splitting.leaks import LEAK_FREE, LEAKY, protocol_of
from fer_data.splitting.split import assign_splits
from tests.support.data.manifests import manifest_of, noise_faces, plain_manifest

SETTINGS = {"validation_fraction": 0.1, "num_folds": 5, "exclude_leaks": True, "seed": 0}


NO_PAIRS = np.empty((0, 2), np.int64)


@pytest.fixture
def manifest() -> pd.DataFrame:
    """120 Training and 30 Testing faces; three duplicates in Training, four leaks, one conflict."""
    rows, faces = plain_manifest()
    duplicates = faces[[0, 50, 100]]  # the same label
    leaks = faces[[10, 60, 110, 120]]  # 120 is a Testing face, copied to Training
    conflict = faces[[20]]  # a happy face, copied to sad
    labels = ["happy", "neutral", "sad", "happy", "neutral", "sad", "happy", "sad"]
    original_splits = [TRAINING] * 3 + [TESTING] * 3 + [TRAINING] * 2
    copies = [*duplicates, *leaks, *conflict]
    return manifest_of(
        [*faces, *copies], [*rows["original_split"], *original_splits], [*rows["label"], *labels]
    )


def test_no_group_is_torn_apart(manifest: pd.DataFrame) -> None:
    rows = assign_splits(manifest, NO_PAIRS, **SETTINGS)
    used = rows[rows["split"] != "excluded"]
    assert used.groupby("duplicate_group")["split"].nunique().max() == 1
    training = rows[manifest["original_split"] == TRAINING]
    assert training.groupby("duplicate_group")["fold"].nunique().max() == 1
    assert training.groupby("duplicate_group").size().max() == 2
    assert rows["duplicate_group"].nunique() == manifest["pixel_hash"].nunique() == 150


@pytest.mark.parametrize("exclude_leaks", [True, False])
def test_folds_and_roles_keep_near_duplicates_together(
    manifest: pd.DataFrame, exclude_leaks: bool
) -> None:
    # Forty chains of three Training faces; one of them ends in a Testing face, and one, by a
    # Training face that has an exact duplicate in Testing.
    chains = np.arange(120).reshape(40, 3)
    pairs = np.concatenate([chains[:, :2], chains[:, 1:], [[5, 121]]])
    rows = assign_splits(manifest, pairs, **{**SETTINGS, "exclude_leaks": exclude_leaks})
    training = rows[manifest["original_split"] == TRAINING]
    assert training.groupby("near_group")["fold"].nunique().max() == 1
    used = training[training["split"] != "excluded"]
    assert used.groupby("near_group")["split"].nunique().max() == 1
    assert set(rows.loc[[3, 4], "split"]) == {"train"}  # by a chain alone
    of_testing = set(rows.loc[manifest["original_split"] == TESTING, "near_group"])
    assert not of_testing & set(rows.loc[rows["split"] == "validation", "near_group"])
    assert (rows["split"] == "validation").sum() >= 6


def test_what_a_testing_face_itself_duplicates_nearly_is_excluded_and_chains_are_not(
    manifest: pd.DataFrame,
) -> None:
    # 125 is a Testing face, and 30 its near-duplicate; 31 is one of 30 alone. 150 is an exact
    # duplicate of 0, which is near 126 of Testing. 10 has an exact duplicate in Testing, 153, and is
    # near 127, too.
    pairs = np.array([[30, 125], [30, 31], [0, 126], [10, 127]])
    rows = assign_splits(manifest, pairs, **SETTINGS)
    excluded = rows[rows["split"] == "excluded"]
    near = excluded[excluded["exclusion"] == "near-duplicate in Testing"]
    assert list(near.index) == [0, 30, 150]
    exact = excluded[excluded["exclusion"] == "duplicate in Testing"]
    assert list(exact.index) == [10, 60, 110, 156]
    assert rows.loc[31, "split"] == "train"
    testing = rows[manifest["original_split"] == TESTING]
    assert list(testing.index[testing["leak"] == "near-duplicate"]) == [125, 126, 127]
    assert list(testing.index[testing["leak"] == "duplicate"]) == [120, 153, 154, 155]
    assert (testing["exclusion"] == "").all()


def test_test_is_the_testing_folder(manifest: pd.DataFrame) -> None:
    rows = assign_splits(manifest, NO_PAIRS, **SETTINGS)
    assert ((rows["split"] == "test") == (manifest["original_split"] == TESTING)).all()
    assert ((rows["fold"] == -1) == (manifest["original_split"] == TESTING)).all()


def test_training_duplicates_of_testing_faces_are_excluded(manifest: pd.DataFrame) -> None:
    rows = assign_splits(manifest, NO_PAIRS, **SETTINGS)
    excluded = rows[rows["split"] == "excluded"]
    assert list(excluded.index) == [10, 60, 110, 156]
    assert (excluded["exclusion"] == "duplicate in Testing").all()
    assert (rows.loc[rows["split"] != "excluded", "exclusion"] == "").all()
    assert (excluded["fold"] >= 0).all()  # scored out of sample all the same


def test_the_leaky_protocol_trains_on_exact_and_near_duplicates(manifest: pd.DataFrame) -> None:
    pairs = np.array([[30, 125]])
    leaky = assign_splits(manifest, pairs, **{**SETTINGS, "exclude_leaks": False})
    assert (leaky.loc[[10, 30, 60, 110, 156], "split"] == "train").all()
    assert (leaky["exclusion"] == "").all()
    assert protocol_of(leaky) == LEAKY
    leak_free = assign_splits(manifest, pairs, **SETTINGS)
    assert protocol_of(leak_free) == LEAK_FREE
    # Chosen on the same faces, so that the two can be compared.
    assert ((leaky["split"] == "validation") == (leak_free["split"] == "validation")).all()


def test_validation_and_folds_are_stratified(manifest: pd.DataFrame) -> None:
    rows = assign_splits(manifest, NO_PAIRS, **SETTINGS).assign(label=manifest["label"])
    validation = rows[rows["split"] == "validation"]["label"].value_counts()
    assert validation.between(3, 5).all()
    assert validation.sum() == pytest.approx(12, abs=3)  # 12 groups, some of them duplicates
    folds = rows[rows["fold"] >= 0].groupby(["fold", "label"]).size()
    assert folds.between(7, 10).all()
    assert len(folds) == 15


def test_the_seed_decides(manifest: pd.DataFrame) -> None:
    first, again = (assign_splits(manifest, NO_PAIRS, **SETTINGS) for _ in range(2))
    other = assign_splits(manifest, NO_PAIRS, **{**SETTINGS, "seed": 1})
    pd.testing.assert_frame_equal(first, again)
    assert (first["fold"] != other["fold"]).any()
    assert (first["split"] != other["split"]).any()


def test_a_class_too_small_for_the_folds_is_named() -> None:
    faces = noise_faces(14)
    rows = manifest_of(faces, [TRAINING] * 14, ["happy"] * 10 + ["sad"] * 4)
    with pytest.raises(
        UserError, match="class 'sad' has 4 different Training faces, fewer than the 5"
    ):
        assign_splits(rows, NO_PAIRS, **SETTINGS)


def test_a_validation_that_would_lack_a_class_is_refused() -> None:
    rows = manifest_of(noise_faces(18), [TRAINING] * 18, ["happy", "sad", "neutral"] * 6)
    with pytest.raises(UserError, match=r"\(0.1\) of 18 different .* is 2, too few to hold"):
        assign_splits(rows, NO_PAIRS, **SETTINGS)
