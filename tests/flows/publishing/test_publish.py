import json
import sys
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pandas as pd
import pytest

from fer_data.annotation.decision_marks import MARK, mark_of
from fer_data.core.errors import UserError
from fer_data.core.tables import write_table
from flows.cli.main import main
from flows.pipeline.ui_artifacts import evaluation_summary, metrics_table
from flows.publishing.publish import publish
from flows.publishing.runs import LATEST_NAME, latest_run
from flows.publishing.site import site_files
from flows.publishing.storage import Destination
from tests.support.flows.report_site import make_reports, settings, write

BELOW = (
    r"validation accuracy of scratch: 0\.8100 -> 0\.7500 \(-0\.0600, 95 % interval -0\.1\d+ to -0\.0\d+"
    r"\), beyond what other faces and another seed would change"
)


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return make_reports(tmp_path / "workspace")


@pytest.fixture(params=["memory", "file"])
def place(request, tmp_path: Path) -> Iterator[str]:
    yield {"memory": "memory://site", "file": (tmp_path / "site").as_uri()}[request.param]
    fsspec.filesystem("memory").store.clear()


def files_at(place: str) -> dict[str, bytes]:
    files, root = fsspec.core.url_to_fs(place)
    return {path.removeprefix(f"{root}/"): files.cat_file(path) for path in files.find(root)}


def test_a_first_run_is_copied_whole_and_is_the_latest(workspace: Path, place: str) -> None:
    published = publish(workspace, settings=settings(place), run_name="one")
    assert published.is_latest
    assert published.previous is None
    assert published.site == f"{place}/runs/one"
    there = files_at(place)
    for name, file in site_files(workspace).items():
        assert there.pop(f"runs/one/{name}") == file.read_bytes()
    assert set(there) == {"runs/one/publication.json", LATEST_NAME}
    assert b"url=../runs/one/index.html" in there[LATEST_NAME]
    record = json.loads(there["runs/one/publication.json"])
    assert set(record["files"]) == set(site_files(workspace))
    assert record["metrics"]["scratch"]["validation"]["macro_f1"]["low"] == 0.75
    assert set(record["outcomes"]) == {"scratch", "ensemble"}


def test_the_next_run_stands_beside_it_with_a_comparison(workspace: Path, place: str) -> None:
    publish(workspace, settings=settings(place), run_name="one")
    make_reports(workspace, scratch=0.78)
    published = publish(workspace, settings=settings(place), run_name="two")
    assert published.is_latest
    assert published.previous == "one"
    assert "validation macro-F1 of scratch: 0.8000 -> 0.7800 (-0.0200), within" in "\n".join(
        map(str, published.changes)
    )
    assert latest_run(Destination(place)) == "two"
    assert b"0.78" in files_at(place)["runs/two/index.html"]
    assert b"0.78" not in files_at(place)["runs/one/index.html"]


def test_a_run_whose_loss_another_seed_explains_is_the_latest(workspace: Path, place: str) -> None:
    """30 of 1,000 faces lost and none won: more than other faces explain, less than scratch's seeds."""
    publish(workspace, settings=settings(place), run_name="one")
    make_reports(workspace, scratch=0.77)
    scores = json.loads((workspace / "reports/evaluate/scratch/metrics.json").read_text())
    scores["validation"]["macro_f1"] = {"value": 0.74, "low": 0.7, "high": 0.78}
    write(workspace / "reports/evaluate/scratch/metrics.json", json.dumps(scores))
    assert publish(workspace, settings=settings(place), run_name="two").is_latest


def test_without_a_spread_of_seeds_a_loss_says_what_is_not_covered(workspace, place: str) -> None:
    publish(workspace, settings=settings(place), run_name="one")
    make_reports(workspace, ensemble=0.67)
    published = publish(workspace, settings=settings(place), run_name="two")
    assert not published.is_latest
    assert "beyond what other faces would change; another seed is not covered" in published.outcome


def test_beside_a_run_of_an_earlier_version_intervals_are_compared(workspace, tmp_path) -> None:
    place = str(tmp_path / "site")
    publish(workspace, settings=settings(place), run_name="one")
    file = tmp_path / "site/runs/one/publication.json"
    record = json.loads(file.read_text())
    del record["outcomes"]
    record["figures"] = record.pop("metrics")
    file.write_text(json.dumps(record))
    make_reports(workspace, ensemble=0.67)  # paired, a loss; here both intervals hold both metrics
    assert publish(workspace, settings=settings(place), run_name="two").is_latest
    make_reports(workspace, ensemble=0.4)
    assert not publish(workspace, settings=settings(place), run_name="three").is_latest


def test_a_worse_run_is_stored_but_is_not_the_latest_unless_forced(workspace, place: str) -> None:
    publish(workspace, settings=settings(place), run_name="one")
    make_reports(workspace, scratch=0.74)
    published = publish(workspace, settings=settings(place), run_name="two")
    assert not published.is_latest
    assert [change.model for change in published.regressions] == ["scratch"]
    assert latest_run(Destination(place)) == "one"
    assert "runs/two/publication.json" in files_at(place)
    forced = publish(workspace, settings=settings(place), run_name="two", force=True)
    assert forced.is_latest
    assert forced.regressions == published.regressions
    assert latest_run(Destination(place)) == "two"


def test_a_run_without_a_model_of_the_latest_is_held_back(workspace: Path, place: str) -> None:
    publish(workspace, settings=settings(place), run_name="one")
    write(workspace / "reports/metrics.json", json.dumps({"ensemble": {}}))
    published = publish(workspace, settings=settings(place), run_name="two")
    assert not published.is_latest
    assert latest_run(Destination(place)) == "one"
    assert "stays one: validation accuracy of scratch: 0.8100 -> gone" in published.outcome
    assert "gone" in str(metrics_table(published.changes))
    assert "| scratch | not defined |" in evaluation_summary(
        published.changes, site="x", outcome="y"
    )


def test_reports_that_are_held_back_every_night_are_stored_once(workspace, place: str) -> None:
    publish(workspace, settings=settings(place), run_name="one")
    make_reports(workspace, scratch=0.74)
    publish(workspace, settings=settings(place), run_name="two")
    before = files_at(place)
    again = publish(workspace, settings=settings(place), run_name="three")
    assert files_at(place) == before
    assert (again.run, again.is_latest) == ("two", False)
    assert again.outcome.startswith(
        "nothing new: two holds these reports, and the latest run stays one"
    )
    make_reports(workspace, scratch=0.73)  # other reports are a run of their own
    assert publish(workspace, settings=settings(place), run_name="four").run == "four"
    forced = publish(workspace, settings=settings(place), run_name="five", force=True)
    assert (forced.run, forced.is_latest) == ("four", True)
    assert latest_run(Destination(place)) == "four"


def test_what_is_lost_on_the_way_is_completed_and_never_the_latest(
    workspace: Path, place: str, monkeypatch
) -> None:
    publish(workspace, settings=settings(place), run_name="one")
    whole = files_at(place)
    make_reports(workspace, scratch=0.9)
    num_files = len(site_files(workspace))
    put = Destination.put
    for num_arrived in range(num_files + 2):  # the record and the page of the latest run come last
        arrived: list[str] = []

        def breaking(
            self: Destination, name: str, content: bytes, *, arrived=arrived, limit=num_arrived
        ) -> None:
            if len(arrived) == limit:
                raise UserError("the line is cut")
            arrived.append(name)
            put(self, name, content)

        with monkeypatch.context() as patched:
            patched.setattr(Destination, "put", breaking)
            with pytest.raises(UserError, match="the line is cut"):
                publish(workspace, settings=settings(place), run_name="two")
        there = files_at(place)
        assert latest_run(Destination(place)) == "one"
        assert {name: there[name] for name in whole} == whole
        assert ("runs/two/publication.json" in there) == (num_arrived > num_files)
    assert publish(workspace, settings=settings(place), run_name="two").is_latest


def test_reports_that_are_published_are_not_stored_twice(workspace: Path, place: str) -> None:
    publish(workspace, settings=settings(place), run_name="one")
    before = files_at(place)
    again = publish(workspace, settings=settings(place), run_name="two")
    assert (again.run, again.is_new, again.is_latest) == ("one", False, True)
    assert files_at(place) == before


def test_a_published_run_is_not_overwritten(workspace: Path, place: str) -> None:
    publish(workspace, settings=settings(place), run_name="one")
    before = files_at(place)
    make_reports(workspace, scratch=0.9)
    with pytest.raises(UserError, match=r"runs/one holds other files, published at .*Z: choose"):
        publish(workspace, settings=settings(place), run_name="one", force=True)
    assert files_at(place) == before


def test_a_latest_run_without_a_record_needs_force(workspace: Path, place: str) -> None:
    publish(workspace, settings=settings(place), run_name="one")
    files, root = fsspec.core.url_to_fs(place)
    files.rm(f"{root}/runs/one", recursive=True)
    with pytest.raises(UserError, match="is one, whose record is gone"):
        publish(workspace, settings=settings(place), run_name="two")
    assert latest_run(Destination(place)) == "one"
    assert publish(workspace, settings=settings(place), run_name="two", force=True).is_latest


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (LATEST_NAME, r"latest/index\.html names no run: move it away"),
        ("runs/two/publication.json", r"publication\.json is no record of a run: move it away"),
    ],
)
def test_files_of_others_are_left_alone(workspace, tmp_path, name: str, message: str) -> None:
    write(tmp_path / "site" / name, "{}")
    with pytest.raises(UserError, match=message):
        publish(workspace, settings=settings(str(tmp_path / "site")), run_name="two")
    assert (tmp_path / "site" / name).read_text() == "{}"


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a b", "-x", "x" * 101, "a\n", "\u00e9"])
def test_a_name_that_is_no_folder_s_is_one_line(workspace: Path, place: str, name: str) -> None:
    with pytest.raises(UserError, match="no run can be named"):
        publish(workspace, settings=settings(place), run_name=name)


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> None:
    monkeypatch.setattr(sys, "argv", ["ferflow", "publish", *words])
    main()


def test_the_command_publishes_and_refuses(workspace: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(workspace)
    run(monkeypatch, "site", "--run", "one")
    out = capsys.readouterr().out
    assert "test accuracy of ensemble: 0.7100" in out
    assert "one is the latest run, after none: file://" in out
    run(monkeypatch, "site")
    assert "nothing new: the latest run, one, holds these reports" in capsys.readouterr().out
    make_reports(workspace, scratch=0.74)
    with pytest.raises(SystemExit, match=f"^error: .*latest run stays one: {BELOW}; --force makes"):
        run(monkeypatch, "site", "--run", "two")
    run(monkeypatch, "site", "--run", "two", "--force")
    assert "two is the latest run, after one: file://" in capsys.readouterr().out
    assert (workspace / "site/runs/two/index.html").is_file()


def test_the_command_says_which_decisions_wait(workspace: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(workspace)
    relabels = workspace / "data/relabels.csv"
    mark = {MARK: mark_of(relabels)}
    write(workspace / "data/curated/summary.json", json.dumps(mark))
    write_table(
        pd.DataFrame({"path": []}),
        workspace / "data/review_queue/neighbors.parquet",
        metadata={MARK: json.dumps(mark[MARK])},
    )
    run(monkeypatch, "site", "--run", "one")
    assert "not yet applied" not in capsys.readouterr().out
    with relabels.open("a") as file:
        file.write(f"{'a' * 64},happy,sad,ann,2026-01-31T10:00:00Z,\n")
    run(monkeypatch, "site", "--run", "one")
    out = capsys.readouterr().out
    assert "1 decision of data/relabels.csv is not yet applied: `dvc repro`\n" in out


def test_the_command_names_a_run_by_the_time_and_needs_a_destination(
    workspace, monkeypatch
) -> None:
    monkeypatch.chdir(workspace)
    with pytest.raises(SystemExit, match=r"^error: publish\.destination of params\.yaml is null"):
        run(monkeypatch)
    run(monkeypatch, "site")
    (name,) = (file.name for file in (workspace / "site/runs").iterdir())
    assert name.startswith("20")
    assert name.endswith("Z")
