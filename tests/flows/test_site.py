import logging
from pathlib import Path

import pytest

from fer_data.stage import UserError
from flows.site import site_files
from tests.flows.sites import make_reports, write


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
    page.rename(workspace / "cached")
    page.symlink_to(workspace / "cached")
    assert "validate/summary.json" in site_files(workspace)


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
