"""A workspace that is served on loopback for tests, and what the server knows about runs."""

import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import httpx

from flows.workspace.client import environment
from tests.support.flows.tiny_graph import fan, make_line, write
from tests.support.servers.processes import FERFLOW, ROOT, free_port
from tests.support.warm.programs import warm_programs

T = TypeVar("T")
PATIENCE = 400.0  # seconds, for a machine that is busy with something else
SCHEDULE_SECONDS = 15
ENDED = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
PROXIES = {
    "http_proxy": "http://192.0.2.1:9",
    "no_proxy": "example.org",
    "all_proxy": "socks5://192.0.2.1:9",
}
"""An environment in which everything is to go through proxies, which do not answer."""
OFTEN = {
    "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "3",
    "PREFECT_WORKER_QUERY_SECONDS": "3",
}
"""How often Prefect looks for runs to schedule, and its worker for runs to begin: else 60 and 10 s."""
WHILE_HELD = (
    'import pathlib, time; [time.sleep(0.1) for _ in iter(pathlib.Path("../hold").exists, False)]'
)
"""What the parts of a held workspace wait for: that there is no file `hold` beside it."""


@dataclass(frozen=True)
class Server:
    """A server that runs with pool, deployments and worker, and how commands find it."""

    url: str
    workspace: Path
    """Where the worker's runs work; tests run flows by hand in others."""
    pid: int
    """Of the process that serves."""

    @property
    def auth_string(self) -> str:
        """What the server asks for."""
        return (self.workspace / ".prefect/auth_string").read_text().strip()

    @property
    def login(self) -> tuple[str, str]:
        """The same, as a name and a password."""
        name, _, password = self.auth_string.partition(":")
        return name, password

    @property
    def environment(self) -> dict[str, str]:
        """For the stages, with this server in place of a temporary one."""
        return environment() | {
            "PREFECT_API_URL": self.url,
            "PREFECT_API_AUTH_STRING": self.auth_string,
            "PREFECT_HOME": str(self.workspace / ".prefect"),
            "PYTHONPATH": str(ROOT),
        }

    def rebuild(self, workspace: Path, *words: str) -> subprocess.CompletedProcess[str]:
        """Runs the flow in a workspace, as a person would."""
        return subprocess.run(
            [warm_programs() / "ferflow", "run", *words],
            cwd=workspace,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def rebuilding(self, workspace: Path, *words: str) -> subprocess.Popen[str]:
        """The same, while it runs, in a process of its own: its output is one pipe of text."""
        return subprocess.Popen(
            [FERFLOW, "run", *words],
            cwd=workspace,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def rows(self, kind: str, **filters: Any) -> list[dict[str, Any]]:
        """What the server holds of a kind, such as `flow_runs`."""
        return self.ask("POST", f"{kind}/filter", filters)

    def ask(self, method: str, path: str, content: Any = None) -> Any:
        """What the server's API answers, once its database is not busy, as Prefect's own client asks."""
        # Certificates are for HTTPS; to read them took twenty times as long as all else of a question.
        ask = partial(httpx.request, auth=self.login, verify=False, timeout=PATIENCE)
        deadline = time.monotonic() + PATIENCE
        headers = {"Prefect-Csrf-Client": "tests"}
        while True:
            if method != "GET":
                token = ask("GET", f"{self.url}/csrf-token", params={"client": "tests"})
                headers["Prefect-Csrf-Token"] = token.json().get("token", "")
            answer = ask(method, f"{self.url}/{path}", json=content, headers=headers)
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE or time.monotonic() > deadline:
                answer.raise_for_status()
                return answer.json() if answer.content else None
            time.sleep(0.5)

    def deployment(self, name: str) -> dict[str, Any]:
        """One of the flow's deployments: `nightly`, `on-demand`."""
        return self.ask("GET", f"deployments/name/rebuild/{name}")

    def scheduled_run(self) -> dict[str, Any]:
        """A run of `nightly` that the scheduler made, under a schedule of seconds, once it has begun."""
        nightly = self.deployment("nightly")
        path = f"deployments/{nightly['id']}/schedules"
        often = {"schedule": {"interval": SCHEDULE_SECONDS}, "active": True}
        (schedule,) = self.ask("POST", path, [often])
        of_nightly = {"deployments": {"id": {"any_": [nightly["id"]]}}, "sort": "START_TIME_ASC"}

        def begun() -> dict[str, Any] | None:
            return next(
                (run for run in self.rows("flow_runs", **of_nightly) if run["start_time"]), None
            )

        run = wait_for(begun)
        self.ask("DELETE", f"{path}/{schedule['id']}")
        return run

    def ended(self, run: str) -> dict[str, Any]:
        """A run, by its id, once it has ended."""

        def state() -> dict[str, Any] | None:
            found = self.ask("GET", f"flow_runs/{run}")
            return found if found["state_type"] in ENDED else None

        return wait_for(state)

    def run_of(self, finished: subprocess.CompletedProcess[str]) -> dict[str, Any]:
        """The flow run that a command logged."""
        name = re.search(r"Beginning flow run '(.+?)'", finished.stdout + finished.stderr)
        assert name, finished.stdout + finished.stderr
        return self.rows("flow_runs", flow_runs={"name": {"any_": [name[1]]}})[0]

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


def wait_for(find: Callable[[], T | None]) -> T:
    """What is found at last.

    Raises:
        TimeoutError: Nothing was.
    """
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if found := find():
            return found
        time.sleep(0.5)
    raise TimeoutError


def make_held_line(folder: Path) -> Path:
    """A workspace to serve, whose parts wait while there is a file `hold` beside it."""
    stages = fan()
    part = write("part-${item.part}", after=WHILE_HELD)
    stages["part"]["cmd"] = f"python -c '{part}'"
    workspace = make_line(folder, stages)
    for name in ("prefect.yaml", "prefect.toml"):
        shutil.copyfile(ROOT / name, workspace / name)
    return workspace


def change(server: Server) -> None:
    """Changes what the stages of the served workspace depend on, and so does away with their outputs."""
    (server.workspace / "source").write_text(str(time.time()))
    for stage in ("first", *(f"part-{number}" for number in range(4))):
        (server.workspace / stage).unlink(missing_ok=True)
    subprocess.run(["rm", "-rf", "dvc.lock", ".dvc/cache"], cwd=server.workspace, check=True)


@contextmanager
def serving(workspace: Path, *, is_warm: bool = False) -> Iterator[Server]:
    """Serves a workspace as `make serve` does, behind proxies, and ends that by its process id.

    Args:
        workspace: The workspace.
        is_warm: Whether the server, its runs and their stages are copies of the warmed process.
    """
    port = free_port()
    said = workspace.with_name("serve.log")
    with said.open("w") as log:
        process = subprocess.Popen(
            [warm_programs() / "ferflow" if is_warm else FERFLOW, "serve", "--port", str(port)],
            cwd=workspace,
            env=environment() | OFTEN | PROXIES | {"PYTHONPATH": str(ROOT)},
            stdout=log,
            stderr=subprocess.STDOUT,
            text=True,
        )
    with ended(process):
        deadline = time.monotonic() + PATIENCE
        while "The Prefect UI: " not in said.read_text():
            assert process.poll() is None, said.read_text()
            assert time.monotonic() < deadline, f"no server after {PATIENCE:.0f} s"
            time.sleep(0.2)
        yield Server(f"http://127.0.0.1:{port}/api", workspace=workspace, pid=process.pid)


@contextmanager
def ended(process: subprocess.Popen[str]) -> Iterator[None]:
    """Ends a process at the end, by its id."""
    try:
        yield
    finally:
        process.terminate()
        process.wait(PATIENCE)
        if process.stdout:
            process.stdout.close()


def strange_environment() -> dict[str, str]:
    """Of a terminal that knows nothing of Prefect."""
    return {name: value for name, value in environment().items() if "PREFECT" not in name}
