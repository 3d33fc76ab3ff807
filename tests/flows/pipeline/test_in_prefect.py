"""Artifacts and notifications as a Prefect server gets them, from flows that a test defines."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.sorting import FlowRunSort
from prefect.testing.utilities import prefect_test_harness

from flows.pipeline.notifications import tell_of_failure, warn
from flows.pipeline.ui_artifacts import record_artifacts
from flows.publishing.publish import publish
from tests.support.flows.report_site import make_reports, settings
from tests.support.servers.webhook import receiving


@pytest.fixture(scope="module", autouse=True)
def server() -> Iterator[None]:
    """Prefect's own: it waits for the events of this process, which else wait for the server at exit."""
    with prefect_test_harness(server_startup_timeout=300):
        yield


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return make_reports(tmp_path)


def artifacts_of_latest_run() -> dict[str, Any]:
    with get_client(sync_client=True) as client:
        run = client.read_flow_runs(sort=FlowRunSort.START_TIME_DESC, limit=1)[0]
        return {
            str(artifact.key): artifact.data
            for artifact in client.read_artifacts()
            if artifact.flow_run_id == run.id
        }


@pytest.mark.parametrize("published", [True, False])
def test_a_run_has_its_reports_as_artifacts(workspace: Path, published: bool) -> None:
    @flow
    def rebuilt() -> None:
        done = publish(workspace, settings=settings("site"), run_name="one") if published else None
        record_artifacts(workspace, done)

    rebuilt()
    artifacts = artifacts_of_latest_run()
    folder = (workspace / ("site/runs/one" if published else "reports")).as_uri()
    outcome = "one is the latest run" if published else "not published: publish.destination is null"
    assert set(artifacts) == {
        "evaluation", "metrics", "data-quality", "models-report", "data-report",
    }  # fmt: skip
    assert artifacts["evaluation"].startswith("# The models")
    assert outcome in artifacts["evaluation"]
    assert artifacts["data-quality"].startswith("# The data")
    assert "published interval" in artifacts["metrics"]
    assert f"({folder}/index.html)" in artifacts["models-report"]
    assert f"({folder}/data_quality/index.html)" in artifacts["data-report"]


def failing(workspace: Path, webhook: str | None) -> None:
    params = {"publish": {"destination": None, "webhook": webhook}}
    (workspace / "params.yaml").write_text(yaml.safe_dump(params))

    @flow(name="rebuild", on_failure=[tell_of_failure])
    def broken() -> None:
        raise RuntimeError("no archive")

    with pytest.raises(RuntimeError, match="no archive"):
        broken()


def test_a_failure_is_told(workspace: Path, caplog) -> None:
    with receiving() as receiver:
        failing(workspace, receiver.address)
        (message,) = receiver.messages
    assert message["flow"] == "rebuild"
    assert message["state"] == "Failed"
    assert "no archive" in str(message["reason"])
    assert str(message["run"]) in str(message["text"])
    assert f"told 127.0.0.1:{receiver.server_port}" in caplog.messages


@pytest.mark.parametrize("webhook", [None, "http://127.0.0.1:1/", "$ABSENT_VARIABLE", "nonsense"])
def test_a_failure_stays_what_it_is_when_nobody_hears_of_it(workspace, caplog, webhook) -> None:
    failing(workspace, webhook)
    assert any("run" in line and "no archive" in line for line in caplog.messages)
    assert any("notification failed" in line for line in caplog.messages) == (webhook is not None)


def test_a_warning_is_told_and_the_run_goes_on(workspace: Path, caplog) -> None:
    @flow(name="rebuild")
    def narrow() -> str:
        warn("the disk is nearly full")
        return "went on"

    with receiving() as receiver:
        params = {"publish": {"destination": None, "webhook": receiver.address}}
        (workspace / "params.yaml").write_text(yaml.safe_dump(params))
        assert narrow() == "went on"
        (message,) = receiver.messages
    assert (message["state"], message["reason"]) == ("Warning", "the disk is nearly full")
    (line,) = [one for one in caplog.records if "the disk is nearly full" in one.getMessage()]
    assert line.levelname == "WARNING"
