"""Runs whose process is gone keep no other waiting, and people are told."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import psutil
import pytest
import yaml
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

from flows.pipeline import dead_runs
from flows.pipeline.dead_runs import RUN_ID, sweep, sweep_at_start
from flows.pipeline.flow import rebuild
from flows.pipeline.notifications import tell_of_failure
from flows.workspace.flow_lock import one_at_a_time
from tests.support.flows.tiny_graph import FLOWS, fan, make_line
from tests.support.servers.prefect import Server, change, wait_for
from tests.support.servers.webhook import receiving

pytestmark = pytest.mark.timeout(1500)


@pytest.fixture
def server(prefect_server: Server) -> Iterator[Server]:
    """The server, which Prefect in this process asks."""
    with temporary_settings(
        {PREFECT_API_URL: prefect_server.url, PREFECT_API_AUTH_STRING: prefect_server.auth_string}
    ):
        yield prefect_server


def left_run(server: Server, state: str, **of: Any) -> str:
    """A run of which the server believes that it goes on, as after a power cut."""
    flow = server.deployment("on-demand")["flow_id"]
    body = {"flow_id": flow, "state": {"type": state}, **of}
    return server.ask("POST", "flow_runs/", body)["id"]


def state(server: Server, run: str) -> tuple[str, str | None]:
    found = server.ask("GET", f"flow_runs/{run}")["state"]
    return found["type"], found["message"]


def test_what_a_machine_left_is_marked_at_the_start(server: Server, tmp_path: Path) -> None:
    left = left_run(server, "RUNNING")
    line = make_line(tmp_path / "line", fan())
    with one_at_a_time(line):
        assert sweep_at_start(line) == 0
    assert sweep_at_start(line) >= 1  # other tests may leave some, too
    assert state(server, left) == ("CRASHED", "its process is gone")


def test_no_run_is_marked_that_just_starts_or_that_lives(server: Server) -> None:
    of_ours = {"deployment_id": server.deployment("on-demand")["id"]}
    starting = left_run(server, "PENDING", **of_ours)
    by_hand = left_run(server, "RUNNING")
    living = left_run(server, "PENDING", **of_ours)
    with subprocess.Popen(
        [sys.executable, "-c", "input()"],
        stdin=subprocess.PIPE,
        env={**os.environ, RUN_ID: living},
        text=True,
    ) as process:
        server.ask("POST", f"flow_runs/{living}/set_state", running())
        sweep()
        assert state(server, starting)[0] == "PENDING"
        assert state(server, by_hand)[0] == "RUNNING"
        assert state(server, living)[0] == "RUNNING"
        process.communicate("\n")
    sweep()
    assert state(server, living) == ("CRASHED", "its process is gone")
    for run in (starting, by_hand):
        server.ask("DELETE", f"flow_runs/{run}")


def test_a_cancelled_run_is_left_to_the_worker_and_ends_as_cancelled(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_ours = {"deployment_id": server.deployment("on-demand")["id"]}
    cancelled = left_run(server, "CANCELLING", **of_ours)
    sweep()
    assert state(server, cancelled)[0] == "CANCELLING"  # the worker is about to say that it ended
    monkeypatch.setattr(dead_runs, "ENDING", timedelta(0))
    sweep()
    assert state(server, cancelled) == ("CANCELLED", "its process is gone")


@pytest.mark.parametrize(("before", "num_messages"), [("CANCELLING", 0), ("RUNNING", 1)])
def test_no_one_is_told_of_a_run_that_somebody_cancelled(
    server: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    before: str,
    num_messages: int,
) -> None:
    """Prefect's engine states a crash where the signal outruns the word that it is a cancellation."""
    run = left_run(server, before)
    crashed = {"state": {"type": "CRASHED", "message": "terminated"}, "force": True}
    server.ask("POST", f"flow_runs/{run}/set_state", crashed)
    monkeypatch.chdir(tmp_path)
    with receiving() as receiver, get_client(sync_client=True) as client:
        Path("params.yaml").write_text(
            yaml.safe_dump({"publish": {"destination": None, "webhook": receiver.address}})
        )
        flow_run = client.read_flow_run(UUID(run))
        assert flow_run.state is not None
        tell_of_failure(rebuild, flow_run, flow_run.state)
        assert len(receiver.messages) == num_messages


def running() -> dict[str, Any]:
    return {"state": {"type": "RUNNING"}, "force": True}


def test_a_killed_run_frees_the_slot_within_a_minute_or_two_and_is_told(server: Server) -> None:
    """The worker, which would tell of it, is killed with it."""
    hold = server.workspace.parent / "hold"
    params = server.workspace / "params.yaml"
    hold.touch()
    with receiving() as receiver:
        publish = {"destination": None, "webhook": receiver.address}
        params.write_text(yaml.safe_dump({"flows": FLOWS, "publish": publish}))
        change(server)
        try:
            path = f"deployments/{server.deployment('on-demand')['id']}/create_flow_run"
            run = server.ask("POST", path, {"state": {"type": "SCHEDULED"}})["id"]
            wait_for(lambda: state(server, run)[0] == "RUNNING")
            wait_for((server.workspace / "first").exists)
            killed = [worker_of(server), *processes_of(run)]
            assert len(killed) > 1
            for process in killed:
                process.kill()
            assert server.ended(run)["state"]["message"] == "its process is gone"
        finally:
            hold.unlink()
            params.write_text(yaml.safe_dump({"flows": FLOWS}))
        (message,) = wait_for(lambda: receiver.messages)
    assert message["state"] == "Crashed"
    assert message["reason"] == "its process is gone"
    assert message["url"] == f"{server.url.removesuffix('/api')}/runs/flow-run/{run}"
    after = server.ask("POST", path, {"state": {"type": "SCHEDULED"}})["id"]
    assert server.ended(after)["state_type"] == "COMPLETED"


def worker_of(server: Server) -> psutil.Process:
    return next(
        process
        for process in psutil.Process(server.pid).children(recursive=True)
        if process.cmdline()[2:5] == ["prefect", "worker", "start"]
    )


def processes_of(run: str) -> Iterator[psutil.Process]:
    """The flow's own processes, not its stages, that are under a watchdog."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            is_of_run = process.environ().get(RUN_ID) == run
            if is_of_run and any(word.startswith("prefect") for word in process.cmdline()):
                yield process
