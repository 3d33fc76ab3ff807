"""Going back to an earlier published run, and what the next publications make of it."""

import shutil
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from flows.cli.main import main
from flows.publishing.old_runs import old_runs, remove_run, stored_runs
from flows.publishing.publish import publish
from flows.publishing.runs import latest_run
from flows.publishing.storage import Destination
from tests.support.flows.report_site import make_reports, settings


def publish_on(day: int, folder: Path, name: str) -> None:
    """Publishes a run on a day of January, since times are told to the second."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("flows.publishing.publish.now", lambda: f"2026-01-{day:02d}T10:00:00Z")
        publish(folder, settings=settings("../site"), run_name=name)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace that published `one`, `two` and `three`, each a little better."""
    folder = tmp_path_factory.mktemp("published") / "workspace"
    for number, name in enumerate(("one", "two", "three")):
        make_reports(folder, scratch=0.8 + number / 100)
        publish_on(number + 1, folder, name)
    return folder


@pytest.fixture
def workspace(published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("workspace", "site"):
        shutil.copytree(published.parent / name, tmp_path / name)
    monkeypatch.chdir(tmp_path / "workspace")
    return tmp_path / "workspace"


@pytest.fixture
def destination(workspace: Path) -> Destination:
    return Destination("../site", workspace=workspace)


def rollback(monkeypatch: pytest.MonkeyPatch, *words: str) -> None:
    place = () if "--destination" in words else ("--destination", "../site")
    monkeypatch.setattr(sys, "argv", ["ferflow", "rollback", *words, *place])
    main()


def marks(destination: Destination) -> dict[str, tuple[str, ...]]:
    return {run.name: run.marks for run in stored_runs(destination) if run.marks}


def test_the_next_publication_is_compared_with_the_run_gone_back_to(
    workspace: Path, destination: Destination, monkeypatch, capsys
) -> None:
    rollback(monkeypatch, "one")
    assert capsys.readouterr().out.startswith("one is the latest run, in place of three, and the ")
    assert latest_run(destination) == "one"
    # Tonight's flow finds nothing changed, and publishes what was rolled back: it stays so.
    again = publish(workspace, settings=settings("../site"), run_name="tonight")
    assert (again.run, again.previous, again.is_latest) == ("three", "one", False)
    assert again.outcome == (
        "nothing new: three holds these reports, which somebody rolled back, and the latest run stays "
        "one"
    )
    assert marks(destination) == {"one": ("latest",), "three": ("rolled back",)}
    make_reports(workspace, scratch=0.83)
    better = publish(workspace, settings=settings("../site"), run_name="tomorrow")
    assert (better.previous, better.is_latest) == ("one", True)


def test_who_went_back_can_go_forth_or_publish_by_force(
    workspace: Path, destination: Destination, monkeypatch
) -> None:
    rollback(monkeypatch, "two")
    rollback(monkeypatch, "one")
    assert marks(destination) == {
        **{"one": ("latest",), "two": ("rolled back",), "three": ("rolled back",)}
    }
    rollback(monkeypatch, "two")
    assert marks(destination)["two"] == ("latest",)
    forced = publish(workspace, settings=settings("../site"), run_name="new", force=True)
    assert (forced.run, forced.is_latest) == ("three", True)
    assert marks(destination) == {"three": ("latest",), "one": ("rolled back",)}


@pytest.mark.usefixtures("workspace")
def test_without_a_run_those_to_choose_from_are_listed(monkeypatch, capsys) -> None:
    rollback(monkeypatch)
    lines = [line.split("│") for line in capsys.readouterr().out.splitlines() if "│" in line]
    assert [line[1].strip() for line in lines if line[1].strip()] == ["three", "two", "one"]
    assert "scratch 0.8300" in lines[0][3]
    assert lines[0][4].strip() == "latest"


@pytest.mark.parametrize(
    ("run", "message"),
    [
        ("four", r"no run 'four' at file://\S*: expected three, two, one$"),
        ("half", r"\S*runs/half has no record: it was copied in part, or damaged$"),
        (
            "one",
            r"\S*runs/one/index\.html is not what was published: one cannot be the latest run$",
        ),
        ("two", r"\S*runs/two/index\.html is gone: two cannot be the latest run$"),
    ],
)
def test_what_cannot_be_the_latest_is_one_line(
    workspace: Path, destination: Destination, monkeypatch, run: str, message: str
) -> None:
    runs = workspace / "../site/runs"
    (runs / "half").mkdir()
    (runs / "one/index.html").write_text("edited")
    (runs / "two/index.html").unlink()
    with pytest.raises(SystemExit, match=f"^error: {message}"):
        rollback(monkeypatch, run)
    assert marks(destination) == {"three": ("latest",)}


def test_the_latest_run_stays_where_it_is(destination, monkeypatch, capsys) -> None:
    rollback(monkeypatch, "three")
    assert capsys.readouterr().out.startswith("three is the latest run already: file://")
    assert marks(destination) == {"three": ("latest",)}


@pytest.mark.usefixtures("workspace")
def test_where_nothing_is_published_it_says_so(monkeypatch, capsys) -> None:
    rollback(monkeypatch, "--destination", "../nowhere")
    assert capsys.readouterr().out.startswith("no run is published at file://")
    with pytest.raises(SystemExit, match=r"^error: no run is published at file://\S*$"):
        rollback(monkeypatch, "one", "--destination", "../nowhere")


def test_old_runs_go_save_the_newest_and_those_with_a_mark(
    workspace: Path, destination: Destination, monkeypatch
) -> None:
    for day, name, score in ((4, "held", 0.6), (5, "new", 0.83)):
        make_reports(workspace, scratch=score)
        publish_on(day, workspace, name)
    half = workspace.parent / "site/runs/half"
    half.mkdir()
    (half / "index.html").write_text("copied in part")
    shutil.copytree(half, half.with_name("theirs"))
    (half.with_name("theirs") / "publication.json").write_text("of others")
    rollback(monkeypatch, "one")
    runs = stored_runs(destination)
    early = datetime(2026, 1, 2, tzinfo=UTC)
    assert old_runs(runs, cutoff=early, destination=destination) == []
    old = old_runs(runs, cutoff=datetime.now(UTC) + timedelta(days=1), destination=destination)
    assert old == ["two", "half"]
    for name in old:
        remove_run(name, destination=destination)
    assert {run.name for run in stored_runs(destination)} == {
        *("one", "three", "held", "new", "theirs")
    }


@pytest.mark.parametrize(
    ("command", "typed"),
    [
        ("rollback", "ferflow rollback --destination DESTINATION"),
        ("publish", "ferflow publish DESTINATION"),
    ],
)
def test_without_a_destination_one_line_names_the_setting_and_what_to_type(
    workspace: Path, monkeypatch, command: str, typed: str
) -> None:
    assert (workspace / "params.yaml").is_file()
    monkeypatch.setattr(sys, "argv", ["ferflow", command])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == (
        "error: publish.destination of params.yaml is null: set it to a folder, or to a URL such as "
        f"s3://bucket/ferflow; or name one here: `{typed}`"
    )
