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
from fer_data.core.tables import write_table
from fer_data.validation import validate
from fer_data.validation.baseline import baseline_of, baseline_text
from fer_data.validation.validate import run_suite
from tests.support.data.expectation_suite import SUITE, failures
from tests.support.data.manifests import (
    THRESHOLDS,
    planted,
)

FLAGS = ["--manifest", "manifest.parquet", "--baseline", "profile.json", "--report", "report"]


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
