"""What `make serve` gives: deployments, schedule and worker, on loopback, whatever is killed."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from flows.pipeline.serve import variables_for
from tests.support.servers.prefect import PROXIES, ROOT, Server, change, wait_for
from tests.support.servers.processes import FERFLOW

pytestmark = pytest.mark.timeout(1500)

PARTS = ["part@0", "part@1", "part@2", "part@3"]


@pytest.fixture
def held(prefect_server: Server) -> Iterator[Path]:
    """A file that keeps the parts of the served workspace running until it is removed."""
    file = prefect_server.workspace.parent / "hold"
    file.touch()
    yield file
    file.unlink(missing_ok=True)


def run_now(server: Server) -> str:
    body = {"state": {"type": "SCHEDULED"}}
    path = f"deployments/{server.deployment('on-demand')['id']}/create_flow_run"
    return server.ask("POST", path, body)["id"]


def wait_until_parts_run(server: Server, run: str) -> None:
    def running() -> bool:
        tasks = server.rows("task_runs", flow_runs={"id": {"any_": [run]}})
        states = {task["name"]: task["state_name"] for task in tasks}
        return all(states.get(part) == "Running" for part in PARTS)

    wait_for(running)


def part_of(server: Server, name: str) -> psutil.Process:
    """The Prefect process of that name, not its watchdog."""
    (found,) = (
        child
        for child in psutil.Process(server.pid).children(recursive=True)
        if child.cmdline()[2:5] == ["prefect", name, "start"]
    )
    return found


def test_the_nightly_run_is_at_two_o_clock(prefect_server: Server) -> None:
    (schedule,) = prefect_server.deployment("nightly")["schedules"]
    assert schedule["schedule"]["cron"] == "0 2 * * *"


def test_a_run_of_the_schedule_is_run(prefect_server: Server) -> None:
    run = prefect_server.scheduled_run()
    assert prefect_server.ended(run["id"])["state_type"] == "COMPLETED"


def test_behind_proxies_this_machine_is_exempt_in_both_spellings(prefect_server: Server) -> None:
    exempt = {"example.org", "127.0.0.1", "localhost", "::1"}
    for name in ("server", "worker"):
        variables = part_of(prefect_server, name).environ()
        assert variables["http_proxy"] == PROXIES["http_proxy"]
        assert "all_proxy" not in variables
        for spelling in ("no_proxy", "NO_PROXY"):
            assert set(variables[spelling].split(",")) == exempt


def test_a_run_without_a_change_ends_saying_so(prefect_server: Server) -> None:
    prefect_server.ended(run_now(prefect_server))
    run = prefect_server.ended(run_now(prefect_server))
    assert run["state"]["message"] == "nothing changed: 6 stages are up to date"


def test_a_run_outlives_server_and_worker_that_are_killed(
    prefect_server: Server, held: Path
) -> None:
    change(prefect_server)
    run = run_now(prefect_server)
    wait_until_parts_run(prefect_server, run)
    killed = {name: part_of(prefect_server, name) for name in ("worker", "server")}
    for process in killed.values():
        process.kill()
    for name, process in killed.items():
        wait_for(lambda name=name, old=process: is_new(prefect_server, name, old))
    held.unlink()
    wait_for(lambda: answers(prefect_server))
    assert prefect_server.ended(run)["state"]["message"].startswith("6 of 6 stages rebuilt")
    states = prefect_server.states({"id": run}, expected=6)
    assert set(states.values()) == {"Completed"}


def is_new(server: Server, name: str, old: psutil.Process) -> bool:
    try:
        return part_of(server, name).pid != old.pid
    except (ValueError, psutil.Error):
        return False


def answers(server: Server) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", int(server.url.split(":")[2].split("/")[0]))) == 0


def test_a_cancelled_run_ends_its_stages_and_the_next_goes_on(
    prefect_server: Server, held: Path
) -> None:
    change(prefect_server)
    run = run_now(prefect_server)
    wait_until_parts_run(prefect_server, run)
    second = run_now(prefect_server)
    cancelling = {"state": {"type": "CANCELLING", "name": "Cancelling"}}
    prefect_server.ask("POST", f"flow_runs/{run}/set_state", cancelling)
    # Not the first state that ends it: on a busy machine the engine states a crash before that.
    wait_for(lambda: prefect_server.ended(run)["state_name"] == "Cancelled")
    held.unlink()
    after = prefect_server.ended(second)
    # It would have been refused while the first still worked there: see `one_at_a_time`.
    assert after["state"]["message"].startswith("5 of 6 stages rebuilt: part@0")


def test_nothing_listens_but_on_loopback(prefect_server: Server) -> None:
    serving = psutil.Process(prefect_server.pid)
    listening = {
        connection.laddr.ip
        for process in [serving, *serving.children(recursive=True)]
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {"127.0.0.1"}


def test_nothing_phones_home(prefect_server: Server) -> None:
    told = {
        "DO_NOT_TRACK": "1",
        "DVC_NO_ANALYTICS": "1",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    }
    for name in ("server", "worker"):
        assert told.items() <= part_of(prefect_server, name).environ().items()
    assert prefect_server.ask("GET", "admin/settings")["server"]["analytics_enabled"] is False


def test_a_flow_run_by_hand_phones_home_as_little(tmp_path: Path) -> None:
    code = (
        "from prefect.settings import get_current_settings as now; import json; "
        "server = now().server; print(json.dumps([server.analytics_enabled, server.api.host, "
        "server.ephemeral.startup_timeout_seconds]))"
    )
    variables = {key: value for key, value in os.environ.items() if "PREFECT" not in key}
    printed = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=variables | {"PREFECT_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert json.loads(printed) == [False, "127.0.0.1", 120]


def test_a_port_that_is_taken_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "dvc.yaml").write_text("stages: {}")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        finished = subprocess.run(
            [FERFLOW, "serve", "--port", str(port)],
            env=variables_for(tmp_path, port=port) | {"PYTHONPATH": str(ROOT)},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
    assert finished.returncode == 1
    assert finished.stderr == (
        f"error: something listens on port {port} already: choose another by `make serve PORT=...`, or "
        "`ferflow serve --port ...`\n"
    )
