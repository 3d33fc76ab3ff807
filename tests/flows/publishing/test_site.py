import itertools
import posixpath
import re
from pathlib import Path

import pytest

from fer_data.core.errors import UserError
from flows.publishing.site import site_files
from flows.workspace.client import dvc, git
from tests.support.flows.report_site import ROOT, make_reports, write


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return make_reports(tmp_path)


def test_the_site_is_the_pages_what_they_link_to_metrics_and_cards(workspace: Path) -> None:
    files = site_files(workspace)
    assert list(files) == [
        "data_quality/index.html",
        "evaluate/ensemble/model_card.md",
        "evaluate/scratch/model_card.md",
        "index.html",
        "metrics.json",
        "validate/great_expectations.json",
        "validate/summary.json",
    ]
    assert files["index.html"] == workspace / "reports/index.html"


@pytest.mark.parametrize(
    ("page", "templates"),
    [
        ("index.html", "fer_models/reporting"),
        ("data_quality/index.html", "fer_data/quality_report"),
        ("evaluate/scratch/model_card.md", "fer_models/evaluation"),
    ],
)
def test_whatever_the_pages_link_to_is_published(
    workspace: Path, page: str, templates: str
) -> None:
    names = site_files(workspace)
    texts = [file.read_text() for file in (ROOT / templates).glob("templates/*.j2")]
    links = re.findall(r"""(?:href|src)=["']([^"'#{:]+)["'#]|\]\(([^)#:\s]+)""", "".join(texts))
    for link in filter(None, itertools.chain.from_iterable(links)):
        assert posixpath.normpath(posixpath.join(posixpath.dirname(page), link)) in names
    assert links or page != "data_quality/index.html"


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


@pytest.mark.parametrize(
    "name",
    [
        "index.html",
        "data_quality/index.html",
        "metrics.json",
        "validate/great_expectations.json",
        "evaluate/scratch/model_card.md",
    ],
)
def test_a_missing_report_is_one_line(workspace: Path, name: str) -> None:
    (workspace / "reports" / name).unlink()
    with pytest.raises(UserError, match=rf"{name} is missing: `dvc repro` makes it"):
        site_files(workspace)
