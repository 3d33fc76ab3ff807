import logging
from pathlib import Path

import pytest

from fer_data.core.errors import UserError
from flows.publishing.site import site_files
from flows.workspace.client import dvc, git
from tests.support.flows.report_site import make_reports, write


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return make_reports(tmp_path)


def test_the_site_is_the_reports_and_what_they_link_to(workspace: Path, caplog) -> None:
    files = site_files(workspace)
    assert list(files) == [
        "data_quality/index.html",
        "index.html",
        "metrics.json",
        "validate/all faces.html",
        "validate/summary.json",
    ]
    assert files["index.html"] == workspace / "reports/index.html"
    assert caplog.records == []


def test_model_cards_come_with_what_they_link_to(workspace: Path) -> None:
    folder = workspace / "reports/evaluate/scratch"
    write(folder / "model_card.md", "[all](../../index.html), ![bars](bars.png) and [x](#y)")
    write(folder / "bars.png", "")
    assert {"evaluate/scratch/model_card.md", "evaluate/scratch/bars.png"} <= set(
        site_files(workspace)
    )


def test_outputs_that_dvc_links_to_its_cache_keep_their_names(workspace: Path) -> None:
    page = workspace / "reports/data_quality/index.html"
    cached = workspace / ".dvc/cache/files/md5/ab/cdef"
    cached.parent.mkdir(parents=True)
    page.rename(cached)
    page.symlink_to(cached)
    assert "validate/summary.json" in site_files(workspace)


def test_outputs_in_a_cache_outside_of_the_workspace_are_published(tmp_path: Path) -> None:
    workspace = make_reports(tmp_path / "workspace")
    git("init", "--quiet", cwd=workspace)
    dvc("init", "--quiet", cwd=workspace)
    dvc("cache", "dir", "--local", str(tmp_path / "cache"), cwd=workspace)
    page = workspace / "reports/data_quality/index.html"
    write(tmp_path / "cache/files/md5/ab/cdef", page.read_text())
    page.unlink()
    page.symlink_to(tmp_path / "cache/files/md5/ab/cdef")
    assert "validate/summary.json" in site_files(workspace)


@pytest.mark.parametrize("name", ["index.html", "validate/summary.json", "validate"])
def test_a_link_to_what_is_no_report_is_refused(tmp_path: Path, name: str) -> None:
    workspace = make_reports(tmp_path / "workspace")
    (workspace / "reports" / name).rename(tmp_path / "secret")
    (workspace / "reports" / name).symlink_to(tmp_path / "secret")
    with pytest.raises(UserError, match=r"is a link to .*secret.*, which is neither a report nor"):
        site_files(workspace)


def test_a_link_to_another_file_of_the_workspace_is_refused(workspace: Path) -> None:
    write(workspace / ".dvc/config.local", "[remote]")
    (workspace / "reports/validate/summary.json").unlink()
    (workspace / "reports/validate/summary.json").symlink_to(workspace / ".dvc/config.local")
    with pytest.raises(UserError, match=r"is a link to .*config\.local, which is neither a report"):
        site_files(workspace)


@pytest.mark.parametrize("name", ["index.html", "evaluate/scratch/model_card.md"])
def test_a_page_that_is_not_in_utf_8_is_one_line(workspace: Path, name: str) -> None:
    (workspace / "reports" / name).write_bytes(b"<p>caf\xe9</p>")
    with pytest.raises(UserError, match=rf"{name} is not in UTF-8 \(byte 6\): `dvc repro` makes"):
        site_files(workspace)


@pytest.mark.parametrize("link", ["http://[x", "x" * 5000, "a%00b"])
def test_a_link_that_leads_nowhere_stays_and_is_a_line_at_most(workspace, caplog, link) -> None:
    write(workspace / "reports/index.html", f'<a href="{link}">')
    assert len(site_files(workspace)) == 5
    assert all(len(message.splitlines()) == 1 for message in caplog.messages)
    assert max(map(len, caplog.messages), default=0) < 1000
    write(workspace / "reports/evaluate/scratch/model_card.md", f"[one]({link})")
    assert len(site_files(workspace)) == 6


@pytest.mark.parametrize("link", ["../models/scratch/model.keras", "evaluate/"])
def test_what_is_not_published_is_logged(workspace: Path, caplog, link: str) -> None:
    write(workspace / "models/scratch/model.keras", "")
    write(workspace / "reports/index.html", f'<a href="{link}">')
    with caplog.at_level(logging.WARNING):
        assert len(site_files(workspace)) == 5
    assert "index.html links to" in caplog.text
    assert "which is not published" in caplog.text


def test_a_dead_link_stays_dead(workspace: Path, caplog) -> None:
    write(workspace / "reports/index.html", '<a href="gone.html">')
    assert len(site_files(workspace)) == 5
    assert caplog.records == []


@pytest.mark.parametrize("name", ["index.html", "data_quality/index.html", "metrics.json"])
def test_a_missing_report_is_one_line(workspace: Path, name: str) -> None:
    (workspace / "reports" / name).unlink()
    with pytest.raises(UserError, match=rf"{name} is missing: `dvc repro` makes it"):
        site_files(workspace)
