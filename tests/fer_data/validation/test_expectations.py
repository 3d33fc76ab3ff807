import pandas as pd
import pytest

from fer_data.core.schema import TRAINING
from fer_data.validation.baseline import baseline_of
from fer_data.validation.expectations import build_suite, name_of
from fer_data.validation.validate import run_suite
from tests.support.data.expectation_suite import SUITE, failures
from tests.support.data.manifests import THRESHOLDS, planted


def test_a_good_archive_passes_everything(good: pd.DataFrame) -> None:
    result = run_suite(good, SUITE)
    assert result["success"]
    assert result["faces"] == 150
    assert [one["name"] for one in result["expectations"]] == [name_of(one) for one in SUITE]
    assert all(one["success"] and one["meaning"] for one in result["expectations"])


@pytest.mark.parametrize(
    "error",
    [
        *("duplicates", "leaks", "conflicting_duplicates"),
        *("black_faces", "white_faces", "low_contrast", "two_tone"),
    ],
)
def test_an_error_is_caught_by_its_expectation_alone(error: str) -> None:
    manifest, rows = planted(error)
    caught = failures(manifest)[error]
    assert set(caught["paths"]) == set(manifest.loc[list(rows), "path"])
    assert caught["unexpected"] == len(rows)
    assert caught["severity"] == "warning"
    assert error not in failures(manifest, without=error)


def test_warnings_do_not_stop_the_line() -> None:
    assert run_suite(planted("leaks")[0], SUITE)["success"]


@pytest.mark.parametrize(
    ("break_it", "name"),
    [
        (
            lambda rows: rows[(rows["label"] != "sad") | (rows["original_split"] == TRAINING)],
            "all_classes",
        ),
        (lambda rows: rows.drop(rows.index[-6:]), "enough_faces"),
        (lambda rows: rows.assign(label=rows["label"].replace("sad", "bored")), "known_classes"),
        (lambda rows: pd.concat([rows, rows.iloc[:1]]), "unique_paths"),
        (lambda rows: rows.assign(pixel_hash="?"), "pixel_hashes"),
    ],
)
def test_what_makes_an_archive_unusable_is_an_error(good, break_it, name: str) -> None:
    broken = break_it(good)
    assert failures(broken)[name]["severity"] == "error"
    assert not run_suite(broken, SUITE)["success"]


def test_drift_of_brightness_is_a_warning(good: pd.DataFrame) -> None:
    drifted = good.assign(
        mean=good["mean"].where(good["original_split"] == TRAINING, good["mean"] + 9)
    )
    assert failures(drifted)["brightness_drift"]["severity"] == "warning"


@pytest.mark.parametrize(
    ("column", "value", "name"), [("mode", "RGB", "native_grey"), ("format", "PNG", "one_format")]
)
def test_images_unlike_the_others_are_named(good: pd.DataFrame, column, value, name) -> None:
    mixed = good.assign(**{column: good[column].where(good.index >= 3, value)})
    caught = failures(mixed)
    assert list(caught) == [name]
    assert caught[name]["paths"] == list(good["path"][:3])


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda rows: rows, {}),
        (lambda rows: rows.drop(rows.index[:3]), {}),  # 3 of 40 are less than a tenth
        (lambda rows: rows.drop(rows.index[:5]), {"count_change": 1}),
        (lambda rows: rows.drop(rows.index[[*range(5), *range(120, 122)]]), {"count_change": 2}),
        (lambda rows: rows.assign(mean=rows["mean"] + 9), {"brightness_change": 0}),
        (lambda rows: rows.assign(std=rows["std"] * 1.2), {"contrast_change": 0}),
    ],
)
def test_a_change_since_the_accepted_baseline_is_a_warning(good, change, expected) -> None:
    baseline = baseline_of(good, by="ann", at="2026-01-31T10:00:00Z")
    caught = failures(change(good), baseline=baseline)
    assert {name: one["unexpected"] for name, one in caught.items()} == expected
    for name, one in caught.items():
        assert one["severity"] == "warning"
        assert "of the archive that ann accepted" in one["meaning"]
        assert name not in failures(change(good))


def test_a_class_that_the_accepted_baseline_lacks_has_changed(good: pd.DataFrame) -> None:
    baseline = baseline_of(good[good["label"] != "sad"], by="ann", at="2026-01-31T10:00:00Z")
    caught = failures(good, baseline=baseline)["count_change"]
    assert [path.split("/")[:2] for path in caught["paths"]] == [
        ["Training", "Sad"],
        ["Testing", "Sad"],
    ]


def test_an_accepted_class_that_is_gone_is_a_warning(good: pd.DataFrame) -> None:
    baseline = baseline_of(good, by="ann", at="2026-01-31T10:00:00Z")
    rest = good[good["label"] != "sad"]
    suite = build_suite(THRESHOLDS, expressions=("happy", "neutral"), baseline=baseline)
    result = run_suite(rest, suite, baseline=baseline)
    gone = next(one for one in result["expectations"] if one["name"] == "accepted_classes")
    assert (gone["success"], gone["severity"]) == (False, "warning")
    assert gone["missing"] == ["testing/sad", "training/sad"]
    assert result["success"]
