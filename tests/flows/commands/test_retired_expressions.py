"""A class that leaves the settings, at the commands and in the summary of a run."""

import json
import sys
from pathlib import Path

import pandas as pd
import pytest

from flows.cli.main import main
from flows.commands.accept import accept_decisions
from flows.pipeline.ui_artifacts import data_summary
from tests.support.data.manifests import EXPRESSIONS
from tests.support.flows.report_site import make_reports
from tests.support.flows.small_workspace import ACCEPTED, RELABELS, decide, make


@pytest.fixture
def manifest(tmp_path: Path) -> pd.DataFrame:
    manifest = make(tmp_path)
    retire(tmp_path)
    return manifest


def retire(folder: Path) -> None:
    file = folder / "params.yaml"
    params = json.loads(file.read_text())
    data = {"expressions": EXPRESSIONS, "retired_expressions": ["contempt"]}
    file.write_text(json.dumps(params | {"data": data}))


def test_an_import_takes_them_and_says_that_they_do_not_apply(
    tmp_path: Path, manifest, monkeypatch, capsys
) -> None:
    decide(tmp_path, manifest, 0, decision="contempt")
    theirs = tmp_path / "theirs.csv"
    theirs.write_bytes((tmp_path / RELABELS).read_bytes())
    (tmp_path / RELABELS).write_text(theirs.read_text().splitlines()[0] + "\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["ferflow", "import-decisions", str(theirs)])
    main()
    assert capsys.readouterr().out.splitlines() == [
        "written down, but not applied, since the expression is retired: 1 contempt",
        "1 decisions -> data/relabels.csv",
    ]
    assert RELABELS.read_bytes() == theirs.read_bytes()


def test_accepting_keeps_them_and_counts_the_others(tmp_path: Path, manifest) -> None:
    decide(tmp_path, manifest, 0)
    decide(tmp_path, manifest, 1, 2, decision="contempt")
    words = accept_decisions(by="ann", folder=tmp_path)
    assert words.startswith("1 decisions -> ")
    assert words.endswith(" (not from those of retired expressions: 2 contempt)")
    assert (tmp_path / ACCEPTED / "relabels.csv").read_text().count(",contempt,") == 2


def test_their_faces_wait_in_the_summary_of_the_data(tmp_path: Path) -> None:
    make_reports(tmp_path, scratch=0.74)
    (tmp_path / "params.yaml").write_text(
        "data: {expressions: [happy, sad], retired_expressions: [contempt]}\n"
    )
    with (tmp_path / "data/relabels.csv").open("a") as file:
        file.write(f"{'a' * 64},happy,contempt,ann,2026-01-31T10:00:00Z,\n")
    assert "of which 2 wait in the review queue" in data_summary(tmp_path, site="s3://b")
