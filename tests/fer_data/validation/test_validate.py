import json
import os
import re
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fer_data.core.errors import UserError
from fer_data.core.schema import TESTING, TRAINING
from fer_data.core.tables import write_table
from fer_data.validation import validate
from fer_data.validation.baseline import Baseline, baseline_of, baseline_text
from fer_data.validation.expectations import build_suite, name_of
from fer_data.validation.validate import run_suite
from tests.support.data.manifests import EXPRESSIONS, THRESHOLDS, manifest_of, plain_manifest

FLAGS = ["--manifest", "manifest.parquet", "--baseline", "profile.json", "--report", "report"]
SUITE = build_suite(THRESHOLDS, expressions=EXPRESSIONS)


def failures(
    manifest: pd.DataFrame, *, without: str = "", baseline: Baseline | None = None
) -> dict[str, dict]:
    suite = build_suite(THRESHOLDS, expressions=EXPRESSIONS, baseline=baseline)
    rest = [expectation for expectation in suite if name_of(expectation) != without]
    result = run_suite(manifest, rest, baseline=baseline)
    return {one["name"]: one for one in result["expectations"] if not one["success"]}


def text(seed: int) -> np.ndarray:
    """Black and white pixels, as in a line of text, uint8 (48, 48)."""
    return np.random.default_rng(seed).integers(0, 2, (48, 48), np.uint8) * np.uint8(255)


def planted(error: str) -> tuple[pd.DataFrame, set[int]]:
    """A good manifest with one error, and the rows that have it."""
    rows, faces = plain_manifest()
    faces, original_splits, labels = list(faces), list(rows["original_split"]), list(rows["label"])
    copies = {
        "leaks": (0, TESTING, "happy"),
        "conflicting_duplicates": (0, TRAINING, "sad"),
        "duplicates": (0, TRAINING, "happy"),
    }
    if error in copies:
        original, original_split, label = copies[error]
        faces, original_splits, labels = (
            [*faces, faces[0]],
            [*original_splits, original_split],
            [*labels, label],
        )
        return manifest_of(faces, original_splits, labels), {original, len(faces) - 1}
    greys = {"black_faces": 0, "low_contrast": 90, "white_faces": 240}
    faces[0] = np.full((48, 48), greys[error], np.uint8) if error in greys else text(0)
    return manifest_of(faces, original_splits, labels), {0}


@pytest.fixture(scope="module")
def good() -> pd.DataFrame:
    manifest, _ = plain_manifest()
    return manifest


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


def write_workspace(folder: Path, manifest: pd.DataFrame) -> None:
    write_table(manifest, folder / "manifest.parquet")
    (folder / "profile.json").write_text("null\n")
    (folder / "params.yaml").write_text(
        "data: {expressions: [happy, neutral, sad]}\n"
        f"validate: {json.dumps(asdict(THRESHOLDS) | {'max_drift': 1.0})}\n"
    )


def contents(folder: Path) -> dict[str, bytes]:
    files = [file for file in folder.rglob("*") if file.is_file()]
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


def run_main(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["validate", *FLAGS])
    validate.main()


def test_the_report_is_the_same_each_time_to_the_byte(good, tmp_path: Path, monkeypatch) -> None:
    write_workspace(tmp_path, good)
    run_main(monkeypatch, tmp_path)
    first = contents(tmp_path / "report")
    # Elsewhere on earth, too.
    root = str(Path(validate.__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": root, "TZ": "Asia/Tokyo"}
    command = [sys.executable, "-m", "fer_data.validation.validate", *FLAGS]
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True)
    second = contents(tmp_path / "report")
    assert set(first) == {"summary.json", "great_expectations.json"}
    assert first == second


def test_the_report_tells_every_row_and_what_was_observed_there(tmp_path, monkeypatch) -> None:
    manifest, rows = planted("white_faces")
    hostile = "Training/Happy/<img src=x onerror=alert(1)>.jpg"
    write_workspace(tmp_path, manifest.assign(path=[hostile, *manifest["path"][1:]]))
    run_main(monkeypatch, tmp_path)
    assert rows == {0}
    files = {file.name for file in (tmp_path / "report").iterdir()}
    assert files == {"summary.json", "great_expectations.json"}  # no page in which it could run
    told = json.loads((tmp_path / "report" / "summary.json").read_text())["expectations"]
    white = next(one for one in told if one["name"] == "white_faces")
    assert white["paths"] == [hostile]
    assert white["values"] == [{"value": 240.0, "count": 1}]
    assert white["rows"] == 150
    drift = next(one for one in told if one["name"] == "brightness_drift")
    assert 0 <= drift["observed"] <= 1
    text = (tmp_path / "report" / "great_expectations.json").read_text()
    result = json.loads(text, parse_constant=pytest.fail)
    assert [one["expectation_config"]["meta"]["name"] for one in result["results"]] == [
        one["name"] for one in told
    ]
    index = {one["expectation_config"]["meta"]["name"]: one["result"] for one in result["results"]}
    assert index["white_faces"]["unexpected_index_list"] == [{"mean": 240.0, "path": hostile}]


@pytest.mark.parametrize(
    ("break_it", "name", "words"),
    [
        (lambda rows: rows.drop(columns="width"), "native_size", 'column "width" .*does not exist'),
        (lambda rows: rows.assign(width="48"), "native_size", "of the same type"),
        (lambda rows: rows.assign(width=np.nan), "native_size", "no row has a value"),
    ],
)
def test_a_check_that_did_not_run_fails(
    good, tmp_path, monkeypatch, break_it, name: str, words: str
) -> None:
    broken = break_it(good)
    caught = failures(broken)[name]
    assert caught["severity"] == "warning"
    assert re.search(words, caught["error"])
    assert "\n" not in caught["error"]
    assert not run_suite(broken, SUITE)["success"]
    write_workspace(tmp_path, broken)
    with pytest.raises(UserError, match=rf"the archive fails .*{name} \(could not be checked: "):
        run_main(monkeypatch, tmp_path)


def test_an_error_fails_the_stage_and_says_where_the_rows_are(good, tmp_path, monkeypatch) -> None:
    write_workspace(tmp_path, good.assign(label=good["label"].replace("sad", "bored")))
    line = (
        r"^the archive fails known_classes \(50 rows, such as (Training/Sad/\d+\.jpg(, )?){3}\); "
        r"all_classes \(lacks testing/sad, training/sad\): .*summary\.json lists the rows"
    )
    with pytest.raises(UserError, match=line):
        run_main(monkeypatch, tmp_path)
    result = json.loads((tmp_path / "report" / "summary.json").read_text())
    named = {one["name"]: one["paths"] for one in result["expectations"]}["known_classes"]
    assert named
    assert all("/Sad/" in path for path in named)


def test_the_summary_says_what_the_archive_was_compared_with(good, tmp_path, monkeypatch) -> None:
    write_workspace(tmp_path, good)
    run_main(monkeypatch, tmp_path)
    result = json.loads((tmp_path / "report" / "summary.json").read_text())
    assert result["baseline"] is None
    assert "count_change" not in {one["name"] for one in result["expectations"]}
    baseline = baseline_of(good, by="ann", at="2026-01-31T10:00:00Z")
    (tmp_path / "profile.json").write_text(baseline_text(baseline))
    run_main(monkeypatch, tmp_path)
    result = json.loads((tmp_path / "report" / "summary.json").read_text())
    assert result["baseline"] == {
        "accepted_by": "ann",
        "accepted_at": "2026-01-31T10:00:00Z",
        "faces": 150,
    }
    assert "count_change" in {one["name"] for one in result["expectations"]}
