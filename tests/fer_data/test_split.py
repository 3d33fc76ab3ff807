import numpy as np
import pandas as pd
import pytest

from fer_data.schema import TESTING, TRAINING
from fer_data.split import assign_roles
from fer_data.stage import UserError
from tests.fer_data.manifests import manifest_of, noise_faces, plain_manifest

SETTINGS = {"validation_fraction": 0.1, "num_folds": 5, "exclude_leaks": True, "seed": 0}


def exact_groups(manifest: pd.DataFrame) -> np.ndarray:
    return pd.factorize(manifest["pixel_hash"])[0]


@pytest.fixture
def manifest() -> pd.DataFrame:
    """120 Training and 30 Testing faces; three twins in Training, four leaks, one conflict."""
    rows, faces = plain_manifest()
    twins = faces[[0, 50, 100]]  # the same label
    leaks = faces[[10, 60, 110, 120]]  # 120 is a Testing face, copied to Training
    conflict = faces[[20]]  # a happy face, copied to sad
    labels = ["happy", "neutral", "sad", "happy", "neutral", "sad", "happy", "sad"]
    sources = [TRAINING] * 3 + [TESTING] * 3 + [TRAINING] * 2
    copies = [*twins, *leaks, *conflict]
    return manifest_of([*faces, *copies], [*rows["source"], *sources], [*rows["label"], *labels])


def test_no_group_is_torn_apart(manifest: pd.DataFrame) -> None:
    rows = assign_roles(manifest, exact_groups(manifest), **SETTINGS)
    used = rows[rows["role"] != "excluded"]
    assert used.groupby("duplicate_group")["role"].nunique().max() == 1
    training = rows[manifest["source"] == TRAINING]
    assert training.groupby("duplicate_group")["fold"].nunique().max() == 1
    assert training.groupby("duplicate_group").size().max() == 2
    assert rows["duplicate_group"].nunique() == manifest["pixel_hash"].nunique() == 150


def test_the_folds_keep_near_twins_together_and_the_roles_need_not(manifest: pd.DataFrame) -> None:
    near = exact_groups(manifest)
    near[1:10:2] = near[0:9:2]  # five pairs of near twins
    rows = assign_roles(manifest, near, **SETTINGS)
    training = rows[manifest["source"] == TRAINING]
    assert training.groupby("near_group")["fold"].nunique().max() == 1
    assert (rows["near_group"] == near).all()
    exact = assign_roles(manifest, exact_groups(manifest), **SETTINGS)
    assert (rows["role"] == exact["role"]).all()


def test_test_is_the_testing_folder(manifest: pd.DataFrame) -> None:
    rows = assign_roles(manifest, exact_groups(manifest), **SETTINGS)
    assert ((rows["role"] == "test") == (manifest["source"] == TESTING)).all()
    assert ((rows["fold"] == -1) == (manifest["source"] == TESTING)).all()


def test_training_twins_of_testing_faces_are_excluded(manifest: pd.DataFrame) -> None:
    rows = assign_roles(manifest, exact_groups(manifest), **SETTINGS)
    excluded = rows[rows["role"] == "excluded"]
    assert list(excluded.index) == [10, 60, 110, 156]
    assert (excluded["exclusion"] == "twin in Testing").all()
    assert (rows.loc[rows["role"] != "excluded", "exclusion"] == "").all()
    assert (excluded["fold"] >= 0).all()  # scored out of sample all the same


def test_the_leaky_protocol_trains_on_them(manifest: pd.DataFrame) -> None:
    rows = assign_roles(manifest, exact_groups(manifest), **{**SETTINGS, "exclude_leaks": False})
    assert (rows.loc[[10, 60, 110, 156], "role"] == "train").all()


def test_validation_and_folds_are_stratified(manifest: pd.DataFrame) -> None:
    rows = assign_roles(manifest, exact_groups(manifest), **SETTINGS).assign(
        label=manifest["label"]
    )
    validation = rows[rows["role"] == "validation"]["label"].value_counts()
    assert validation.between(3, 5).all()
    assert validation.sum() == pytest.approx(12, abs=3)  # 12 groups, some of them twins
    folds = rows[rows["fold"] >= 0].groupby(["fold", "label"]).size()
    assert folds.between(7, 10).all()
    assert len(folds) == 15


def test_the_seed_decides(manifest: pd.DataFrame) -> None:
    first, again = (assign_roles(manifest, exact_groups(manifest), **SETTINGS) for _ in range(2))
    other = assign_roles(manifest, exact_groups(manifest), **{**SETTINGS, "seed": 1})
    pd.testing.assert_frame_equal(first, again)
    assert (first["fold"] != other["fold"]).any()
    assert (first["role"] != other["role"]).any()


def test_a_class_too_small_for_the_folds_is_named() -> None:
    faces = noise_faces(14)
    rows = manifest_of(faces, [TRAINING] * 14, ["happy"] * 10 + ["sad"] * 4)
    with pytest.raises(
        UserError, match="class 'sad' has 4 different Training faces, fewer than the 5"
    ):
        assign_roles(rows, exact_groups(rows), **SETTINGS)


def test_a_validation_that_would_lack_a_class_is_refused() -> None:
    rows = manifest_of(noise_faces(18), [TRAINING] * 18, ["happy", "sad", "neutral"] * 6)
    with pytest.raises(UserError, match=r"\(0.1\) of 18 different .* is 2, too few to hold"):
        assign_roles(rows, exact_groups(rows), **SETTINGS)
