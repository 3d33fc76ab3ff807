"""`ferflow clean`, as it is typed."""

import re
import shutil
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from fer_data.core.errors import UserError
from flows.cli.main import main
from flows.execution.ray_worker import NODE_FOLDER
from flows.workspace.flow_lock import one_at_a_time
from tests.support.flows.cached_nights import cached_words, make_nights, night
from tests.support.flows.tiny_graph import FLOWS

LONG_AGO = (datetime.now(UTC) - timedelta(days=20)).timestamp()
RETENTION = {"keep_days": 10, "clean_after_flow": False, "min_free_gb": 0}


@pytest.fixture
def line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace of two nights, the first of which nothing needs, that publishes to a broken place."""
    folder = make_nights(tmp_path / "line")
    night(folder, "superseded", at=LONG_AGO)
    night(folder, "of today", at=LONG_AGO)
    (folder / "site/latest").mkdir(parents=True)
    (folder / "site/latest/index.html").write_text("somebody's")
    settings(folder, retention=RETENTION, publish={"destination": "site", "webhook": None})
    monkeypatch.setenv(NODE_FOLDER, str(tmp_path / "node"))
    monkeypatch.chdir(folder)
    return folder


def settings(folder: Path, **sections: object) -> None:
    (folder / "params.yaml").write_text(yaml.safe_dump({"flows": FLOWS, **sections}))


def clean(monkeypatch: pytest.MonkeyPatch, *words: str) -> None:
    monkeypatch.setattr(sys, "argv", ["ferflow", "clean", *words])
    main()


def test_a_dry_run_removes_nothing_and_then_all_that_it_showed_goes(
    line: Path, monkeypatch, capsys
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    clean(monkeypatch, "--dry-run")
    dry = capsys.readouterr().out
    assert re.search(r"^2 things, \d+ bytes, would go; nothing was removed\.$", dry, re.MULTILINE)
    assert "Young is what was made in the last 10 days (retention.keep_days).\n" in dry
    rows = [
        [cell.strip() for cell in row.split("│")[1:-1]] for row in dry.splitlines() if "│" in row
    ]
    of = {row[0]: row[1:] for row in rows}
    assert of["cached outputs"][:2] == ["1", "10 bytes"]
    assert of["entries of the run cache"][0] == "1"
    assert of["published runs"][0] == "-"
    assert of["published runs"][2].startswith("all, since it cannot be told: file://")
    assert "Not looked at, so all of it stays: published runs: file://" in dry
    assert of["flow runs in Prefect"] == ["-", "-", "nothing is there"]
    assert cached_words(line) == {"superseded", "of today"}
    clean(monkeypatch)
    assert re.search(r"^2 things, \d+ bytes, went; .* free now\.$", capsys.readouterr().out, re.M)
    assert cached_words(line) == {"of today"}


def test_a_workspace_in_which_a_flow_runs_is_left_alone(line: Path, monkeypatch) -> None:
    with one_at_a_time(line), pytest.raises(SystemExit, match=r"^error: a flow runs in .* already"):
        clean(monkeypatch)
    assert cached_words(line) == {"superseded", "of today"}


def test_settings_of_an_earlier_version_are_one_line(line: Path, monkeypatch) -> None:
    settings(line)
    with pytest.raises(SystemExit, match=r"has no section 'retention': `ferflow upgrade` adds it$"):
        clean(monkeypatch)


def test_outside_of_git_one_line_says_that_nothing_can_be_told(
    line: Path, monkeypatch, capsys
) -> None:
    shutil.rmtree(line / ".git")
    with pytest.raises(
        SystemExit,
        match=r"^error: /.*/line is in no git repository, which tells what is still in use: `git init`",
    ):
        clean(monkeypatch)
    assert capsys.readouterr().out == ""
    assert cached_words(line) == {"superseded", "of today"}


@pytest.mark.usefixtures("line")
def test_where_nothing_went_what_could_not_be_looked_at_is_an_error(monkeypatch, capsys) -> None:
    clean(monkeypatch)
    with pytest.raises(
        SystemExit,
        match=r"^error: nothing went, and not all could be looked at: published runs: file://[^\n]*$",
    ):
        clean(monkeypatch)
    assert "Nothing is old and unneeded." not in capsys.readouterr().out.splitlines()


def test_a_server_that_does_not_answer_keeps_nothing_else(line: Path, monkeypatch, capsys) -> None:
    def silent(*_: object, **__: object) -> None:
        raise UserError("the server does not answer: refused")

    monkeypatch.setattr("flows.commands.clean_workspace.flow_run_leftovers", silent)
    clean(monkeypatch)
    assert "flow runs in Prefect: the server does not answer: refused" in capsys.readouterr().out
    assert cached_words(line) == {"of today"}
