"""Flow runs that ended long ago go, by the server itself and by hand."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from prefect.settings import (
    PREFECT_API_AUTH_STRING,
    PREFECT_API_URL,
    Settings,
    temporary_settings,
)

from flows.pipeline.old_flow_runs import flow_run_leftovers, vacuum_variables
from tests.support.servers.prefect import Server

pytestmark = pytest.mark.timeout(1500)


@pytest.fixture
def server(prefect_server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """The server, which Prefect in this process asks."""
    monkeypatch.setattr("flows.pipeline.old_flow_runs.join", lambda _: None)
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    with temporary_settings(
        {PREFECT_API_URL: prefect_server.url, PREFECT_API_AUTH_STRING: prefect_server.auth_string}
    ):
        yield prefect_server


def left_run(server: Server, state: str) -> str:
    flow = server.deployment("on-demand")["flow_id"]
    body = {"flow_id": flow, "state": {"type": state}}
    return server.ask("POST", "flow_runs/", body)["id"]


def ids(server: Server) -> set[str]:
    return {run["id"] for run in server.rows("flow_runs")}


def test_runs_that_ended_go_and_others_stay(server: Server) -> None:
    ended, running = left_run(server, "COMPLETED"), left_run(server, "RUNNING")
    now = datetime.now(UTC)
    young = flow_run_leftovers(server.workspace, cutoff=now - timedelta(days=9))
    assert (young.number, young.num_bytes) == (0, 0)
    assert "young or not ended; the database takes " in young.stays
    found = flow_run_leftovers(server.workspace, cutoff=now + timedelta(days=1))
    assert found.number >= 1
    assert {ended, running} <= ids(server)
    found.remove()
    assert {ended, running} & ids(server) == {running}
    server.ask("DELETE", f"flow_runs/{running}")


def test_another_server_is_left_alone(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "https://prefect.example.org/api")
    found = flow_run_leftovers(server.workspace, cutoff=datetime.now(UTC))
    assert found.number == 0
    assert found.stays.startswith("all: PREFECT_API_URL names another server; ")


def test_a_server_removes_old_runs_by_the_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = tmp_path / "params.yaml"
    params.write_text("flows: {}")
    assert vacuum_variables(tmp_path) == {}
    retention = {"keep_days": 30, "clean_after_flow": False, "min_free_gb": 0}
    params.write_text(yaml.safe_dump({"retention": retention}))
    for name, value in vacuum_variables(tmp_path).items():
        monkeypatch.setenv(name, value)
    vacuum = Settings().server.services.db_vacuum
    assert vacuum.enabled_vacuum_types >= {"events", "flow_runs"}
    assert vacuum.retention_period == timedelta(days=30)
