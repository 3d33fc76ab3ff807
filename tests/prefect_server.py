"""A real Prefect server on loopback for tests, and what it knows about runs."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from flows.workspace import environment

PATIENCE = 180.0  # seconds, for a machine that is busy with something else
ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Server:
    """A server that runs, and the environment in which commands find it."""

    url: str
    home: Path

    @property
    def environment(self) -> dict[str, str]:
        """For the stages, with this server in place of a temporary one."""
        return environment() | {
            "PREFECT_API_URL": self.url,
            "PREFECT_HOME": str(self.home),
            "PYTHONPATH": str(ROOT),
        }

    def rebuild(self, workspace: Path, *words: str) -> subprocess.CompletedProcess[str]:
        """Runs the flow in a workspace, as a person would."""
        return subprocess.run(
            [sys.executable, "-m", "flows.rebuild", *words],
            cwd=workspace,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def rows(self, kind: str, **filters: Any) -> list[dict[str, Any]]:
        """What the server holds of a kind, such as `flow_runs`."""
        answer = httpx.post(f"{self.url}/{kind}/filter", json=filters, timeout=PATIENCE)
        answer.raise_for_status()
        return answer.json()

    def latest_run(self) -> dict[str, Any]:
        """The flow run that started last."""
        return self.rows("flow_runs", sort="START_TIME_DESC", limit=1)[0]

    def states(self, run: dict[str, Any], *, expected: int = 0) -> dict[str, str]:
        """The name of the final state of each of a run's tasks; the server learns them a little late."""
        deadline = time.monotonic() + PATIENCE
        while True:
            tasks = self.rows("task_runs", flow_runs={"id": {"any_": [run["id"]]}})
            states = {task["name"]: task["state_name"] for task in tasks}
            late = {"Pending", "Running", "Scheduled", None} & set(states.values())
            if (len(states) >= expected and not late) or time.monotonic() > deadline:
                return states
            time.sleep(0.2)

    def log(self, run: dict[str, Any], *, containing: str = "") -> list[str]:
        """The lines of a run's log, once one of them contains some words."""
        deadline = time.monotonic() + PATIENCE
        while True:
            found = self.rows(
                "logs",
                logs={"flow_run_id": {"any_": [run["id"]]}},
                sort="TIMESTAMP_ASC",
                limit=200,
            )
            lines = [line["message"] for line in found]
            if any(containing in line for line in lines) or time.monotonic() > deadline:
                return lines
            time.sleep(0.2)


@contextmanager
def serving(home: Path) -> Iterator[Server]:
    """Starts a server, and ends it by its process id, whatever happens."""
    port = free_port()
    server = Server(url=f"http://127.0.0.1:{port}/api", home=home)
    command = [sys.executable, "-m", "prefect", "server", "start", "--no-ui"]
    with (home / "server.log").open("w") as log:
        process = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(port)],
            cwd=ROOT,
            env=server.environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_for(server.url)
        yield server
    finally:
        process.terminate()
        process.wait(PATIENCE)


def wait_for(url: str) -> None:
    """Returns when a server answers."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"{url}/health", timeout=5).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    raise TimeoutError(f"no server at {url} after {PATIENCE:.0f} s")


def free_port() -> int:
    """A port on which nothing listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]
