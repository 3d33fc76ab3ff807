"""The stage that writes the page about the data."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fer_data.annotation.decision_marks import MARK, mark_of
from fer_data.core.errors import UserError
from fer_data.core.tables import write_table
from fer_data.quality_report import quality_report
from fer_data.quality_report.quality_report import QualityReportSettings, quality_page
from fer_data.stages.settings import SettingsError, read_settings
from tests.support.data.findings import (
    EXPRESSIONS,
    decided,
    findings,
)


def write_inputs(folder: Path) -> None:
    made = findings()
    write_table(made.manifest, folder / "manifest.parquet")
    np.save(folder / "pixels.npy", made.pixels)
    made.rejected.to_csv(folder / "rejected.csv", index=False)
    (folder / "validation.json").write_text(json.dumps(made.validation))
    write_table(made.assignments, folder / "assignments.parquet")
    write_table(made.label_quality, folder / "label_quality.parquet")
    made.suspects.to_csv(folder / "suspects.csv", index=False)
    made.audit.to_csv(folder / "audit.csv", index=False)
    write_table(made.ranking, folder / "ranking.parquet")
    (folder / "learning.json").write_text(json.dumps(made.learning))
    decided(3).to_csv(folder / "relabels.csv", index=False)
    applied = {MARK: mark_of(folder / "relabels.csv")}
    (folder / "curated.json").write_text(json.dumps(applied))
    (folder / "params.yaml").write_text(
        "data: {expressions: [angry, happy, sad]}\nquality_report: {max_faces: 300, max_pairs: 60}"
    )


@pytest.fixture
def run_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], str]:
    write_inputs(tmp_path)
    flags = (
        "--manifest manifest.parquet --pixels pixels.npy --rejected rejected.csv "
        "--validation validation.json --assignments assignments.parquet "
        "--label-quality label_quality.parquet --suspects suspects.csv --audit audit.csv "
        "--ranking ranking.parquet --learning learning.json --decisions relabels.csv "
        "--curated curated.json --page out/index.html"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["quality_report", *flags.split()])

    def run() -> str:
        quality_report.main()
        return (tmp_path / "out/index.html").read_text(encoding="utf-8")

    return run


def test_main_writes_the_same_page_as_the_pure_function(run_stage: Callable[[], str]) -> None:
    expected = quality_page(
        findings(decision_log=decided(3)), expressions=EXPRESSIONS, max_faces=300, max_pairs=60
    )
    assert run_stage() == expected


@pytest.mark.parametrize(
    "file",
    [
        "rejected.csv",
        "validation.json",
        "suspects.csv",
        "relabels.csv",
        "audit.csv",
        "learning.json",
    ],
)
def test_a_missing_input_is_named(tmp_path: Path, run_stage: Callable[[], str], file: str) -> None:
    (tmp_path / file).unlink()
    with pytest.raises(UserError, match=f"{file} is missing"):
        run_stage()


def test_assignments_of_other_faces_are_refused(
    tmp_path: Path, run_stage: Callable[[], str]
) -> None:
    write_table(findings().assignments.iloc[::-1], tmp_path / "assignments.parquet")
    with pytest.raises(UserError, match="list different faces: run `dvc repro`"):
        run_stage()


@pytest.mark.parametrize("setting", ["max_faces: -1, max_pairs: 1", "max_faces: 1, max_pairs: 301"])
def test_settings_have_ranges(tmp_path: Path, setting: str) -> None:
    (tmp_path / "params.yaml").write_text(f"quality_report: {{{setting}}}")
    with pytest.raises(SettingsError, match=r"'quality_report\.max_\w+': got"):
        read_settings(QualityReportSettings, "quality_report", file=tmp_path / "params.yaml")


def test_decisions_that_are_not_applied_are_named(
    run_stage: Callable[[], str], tmp_path: Path
) -> None:
    assert "not yet applied" not in run_stage()
    lines = decided(3).to_csv(index=False)
    (tmp_path / "relabels.csv").write_text(lines + 2 * lines.splitlines(keepends=True)[1])
    assert "2 decisions of relabels.csv are not yet applied" in run_stage()
