import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fer_data import validate
from fer_data.expectations import build_suite, name_of
from fer_data.schema import TESTING, TRAINING
from fer_data.stage import UserError
from fer_data.tables import write_table
from fer_data.validate import run_suite
from tests.fer_data.manifests import EXPRESSIONS, manifest_of, plain_manifest

SUITE = build_suite(expressions=EXPRESSIONS, min_faces_per_class=5, low_contrast=5, max_drift=1)


def failures(manifest: pd.DataFrame, *, without: str = "") -> dict[str, dict]:
    suite = [expectation for expectation in SUITE if name_of(expectation) != without]
    verdict = run_suite(manifest, suite)
    return {one["name"]: one for one in verdict["expectations"] if not one["success"]}


def planted(fault: str) -> tuple[pd.DataFrame, set[int]]:
    """A good manifest with one fault, and the rows that have it."""
    rows, faces = plain_manifest()
    faces, sources, labels = list(faces), list(rows["source"]), list(rows["label"])
    copies = {
        "leaks": (0, TESTING, "happy"),
        "conflicting_twins": (0, TRAINING, "sad"),
        "twins": (0, TRAINING, "happy"),
    }
    if fault in copies:
        original, source, label = copies[fault]
        faces, sources, labels = [*faces, faces[0]], [*sources, source], [*labels, label]
        return manifest_of(faces, sources, labels), {original, len(faces) - 1}
    faces[0] = np.full((48, 48), {"black_faces": 0, "low_contrast": 90}[fault], np.uint8)
    return manifest_of(faces, sources, labels), {0}


@pytest.fixture(scope="module")
def good() -> pd.DataFrame:
    manifest, _ = plain_manifest()
    return manifest


def test_a_good_archive_passes_everything(good: pd.DataFrame) -> None:
    verdict = run_suite(good, SUITE)
    assert verdict["success"]
    assert verdict["faces"] == 150
    assert [one["name"] for one in verdict["expectations"]] == [name_of(one) for one in SUITE]
    assert all(one["success"] and one["meaning"] for one in verdict["expectations"])


@pytest.mark.parametrize(
    "fault", ["twins", "leaks", "conflicting_twins", "black_faces", "low_contrast"]
)
def test_a_fault_is_caught_by_its_expectation_alone(fault: str) -> None:
    manifest, rows = planted(fault)
    caught = failures(manifest)[fault]
    assert set(caught["paths"]) == set(manifest.loc[list(rows), "path"])
    assert caught["unexpected"] == len(rows)
    assert caught["severity"] == "warning"
    assert fault not in failures(manifest, without=fault)


def test_warnings_do_not_stop_the_line() -> None:
    assert run_suite(planted("leaks")[0], SUITE)["success"]


@pytest.mark.parametrize(
    ("break_it", "name"),
    [
        (lambda rows: rows[(rows["label"] != "sad") | (rows["source"] == TRAINING)], "all_classes"),
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
    drifted = good.assign(mean=good["mean"].where(good["source"] == TRAINING, good["mean"] + 9))
    assert failures(drifted)["brightness_drift"]["severity"] == "warning"


def write_workspace(folder: Path, manifest: pd.DataFrame) -> None:
    write_table(manifest, folder / "manifest.parquet")
    (folder / "params.yaml").write_text(
        "data: {expressions: [happy, neutral, sad]}\n"
        "validate: {min_faces_per_class: 5, low_contrast: 5.0, max_drift: 1.0}\n"
    )


def run_main(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setattr(
        sys, "argv", ["validate", "--manifest", "manifest.parquet", "--report", "report"]
    )
    validate.main()


def test_the_verdict_is_the_same_each_time(good, tmp_path: Path, monkeypatch) -> None:
    write_workspace(tmp_path, good)
    run_main(monkeypatch, tmp_path)
    first = (tmp_path / "report" / "summary.json").read_bytes()
    run_main(monkeypatch, tmp_path)
    assert (tmp_path / "report" / "summary.json").read_bytes() == first
    assert (tmp_path / "report" / "data_docs" / "index.html").is_file()


def test_an_error_fails_the_stage_and_says_where_the_rows_are(good, tmp_path, monkeypatch) -> None:
    write_workspace(tmp_path, good.assign(label=good["label"].replace("sad", "bored")))
    with pytest.raises(UserError, match=r"the archive fails known_classes, all_classes.*summary"):
        run_main(monkeypatch, tmp_path)
    verdict = json.loads((tmp_path / "report" / "summary.json").read_text())
    named = {one["name"]: one["paths"] for one in verdict["expectations"]}["known_classes"]
    assert named
    assert all("/Sad/" in path for path in named)
