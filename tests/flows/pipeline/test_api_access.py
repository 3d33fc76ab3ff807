"""Prefect's API takes commands of whoever knows the string in `.prefect/`, and of nobody else."""

import json
import re
import subprocess
from functools import partial
from pathlib import Path

import httpx
import psutil
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from flows.pipeline.api_access import AUTH_FILE, PROFILE_FILE
from tests.support.flows.tiny_graph import fan, make_line, write
from tests.support.servers.browser import chromium, needs_chromium
from tests.support.servers.prefect import (
    PATIENCE,
    PROXIES,
    ROOT,
    WHILE_HELD,
    Server,
    ended,
    strange_environment,
    wait_for,
)
from tests.support.servers.processes import FERFLOW

pytestmark = pytest.mark.timeout(1500)

STRANGERS = {
    "nobody": {},
    "a page elsewhere": {"Origin": "https://evil.example"},
    "a name that points here": {"Host": "evil.example"},
    "a wrong string": {"Authorization": "Basic ZmVyZmxvdzp3cm9uZw=="},
}


@pytest.mark.parametrize("stranger", STRANGERS.values(), ids=STRANGERS)
def test_strangers_are_refused(prefect_server: Server, stranger: dict[str, str]) -> None:
    deployment = prefect_server.deployment("on-demand")["id"]
    refused(prefect_server.url, deployment, stranger)


def refused(url: str, deployment: str, stranger: dict[str, str]) -> None:
    """No question is answered, and no command taken: in JSON without its content type either."""
    ask = partial(httpx.request, verify=False, timeout=PATIENCE, trust_env=False)
    command = b'{"state": {"type": "SCHEDULED"}, "job_variables": {"command": "touch /tmp/x"}}'
    path = f"{url}/deployments/{deployment}/create_flow_run"
    for headers in (stranger, stranger | {"Content-Type": "application/json"}):
        assert ask("POST", path, headers=headers, content=command).status_code == 403
    asked = {"admin/settings", "csrf-token?client=x", "flows/count", "deployments/name/a/b"}
    for question in asked:
        answer = ask("GET", f"{url}/{question}", headers=stranger)
        assert answer.status_code == 401
        assert "Access-Control-Allow-Origin" not in answer.headers
    headers = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    assert ask("OPTIONS", path, headers=headers).status_code == 400


def test_the_string_alone_commands_nothing(prefect_server: Server) -> None:
    """A browser that has logged in could be made to send it."""
    answer = httpx.post(
        f"{prefect_server.url}/flow_runs/filter",
        json={},
        auth=prefect_server.login,
        headers={"Origin": "https://evil.example"},
        timeout=PATIENCE,
    )
    assert answer.status_code == 403
    assert answer.json() == {"detail": "Missing CSRF token."}


@pytest.mark.parametrize("path", ["events/in", "events/out", "logs/out"])
def test_sockets_ask_for_the_string(prefect_server: Server, path: str) -> None:
    address = f"{prefect_server.url}/{path}".replace("http://", "ws://")
    with connect(address, subprotocols=["prefect"], proxy=None) as socket:  # pyright: ignore
        socket.send(json.dumps({"type": "auth", "token": "wrong"}))
        with pytest.raises(ConnectionClosed, match="Invalid token"):
            socket.recv(timeout=60)


def test_the_string_is_in_no_log_and_on_no_command_line(prefect_server: Server) -> None:
    prefect_server.ended(run_now(prefect_server))
    secret = prefect_server.login[1].encode()
    holding = [
        file
        for file in prefect_server.workspace.parent.rglob("*")
        if file.is_file() and secret in file.read_bytes()
    ]
    assert {file.name for file in holding} == {AUTH_FILE.name, PROFILE_FILE.name}
    assert {file.stat().st_mode & 0o777 for file in holding} == {0o600}
    serving = psutil.Process(prefect_server.pid)
    for process in [serving, *serving.children(recursive=True)]:
        assert secret.decode() not in " ".join(process.cmdline())


def run_now(server: Server) -> str:
    path = f"deployments/{server.deployment('on-demand')['id']}/create_flow_run"
    return server.ask("POST", path, {"state": {"type": "SCHEDULED"}})["id"]


def test_a_second_terminal_finds_the_server(prefect_server: Server) -> None:
    """As `docs/guide/operating.md` says it; nothing but the folder tells where the server is."""
    finished = subprocess.run(
        ["prefect", "deployment", "run", "rebuild/on-demand"],
        cwd=prefect_server.workspace,
        env=strange_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    run = re.search(r"UUID: (\S+)", finished.stdout)
    assert run, finished.stdout
    assert prefect_server.ended(run[1])["state_type"] == "COMPLETED"


@needs_chromium
def test_one_login_a_browser_shows_the_deployments(prefect_server: Server) -> None:
    ui = prefect_server.url.removesuffix("api")
    asked: list[str] = []
    with chromium() as browser:
        page = browser.new_context().new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.goto(ui)
        page.locator("input[type=password]").fill(prefect_server.auth_string)
        page.keyboard.press("Enter")
        page.wait_for_url("**/dashboard**")
        page.goto(f"{ui}deployments")
        page.get_by_text("on-demand").first.wait_for()
        assert page.locator("input[type=password]").count() == 0
    assert [url for url in asked if not url.startswith((ui, "data:", "blob:"))] == []


def test_the_server_of_a_flow_run_by_hand_refuses_strangers(tmp_path: Path) -> None:
    """Behind proxies, too, and where nobody has served the workspace yet."""
    stages = fan()
    stages["first"]["cmd"] = f"python -c '{write('first', after=WHILE_HELD)}'"
    line = make_line(tmp_path / "line", stages)
    hold = tmp_path / "hold"
    hold.touch()
    process = subprocess.Popen(
        [FERFLOW, "run"],
        cwd=line,
        env=strange_environment()
        | PROXIES
        | {
            "PREFECT_HOME": str(tmp_path / "home"),
            "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "400",  # on a busy machine
            "PYTHONPATH": str(ROOT),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with ended(process):

        def port() -> str | None:
            words = [child.cmdline() for child in psutil.Process(process.pid).children()]
            return next((one[one.index("--port") + 1] for one in words if "--port" in one), None)

        url = f"http://127.0.0.1:{wait_for(port)}/api"
        wait_for(lambda: answers(url))
        for stranger in STRANGERS.values():
            refused(url, "0" * 8 + "-0000-4000-8000-" + "0" * 12, stranger)
        hold.unlink()
        said, _ = process.communicate(timeout=600)
    assert process.returncode == 0, said
    assert "6 of 6 stages rebuilt" in said
    assert "Unauthorized" not in said


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", trust_env=False, timeout=60).is_success
    except httpx.TransportError:
        return False
