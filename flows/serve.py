"""Starts all that the flow's deployments need on this machine: server, pool, deployments, worker.

    python -m flows.serve [--port 4200]

Everything listens on loopback, and keeps its state in `.prefect/` (`PREFECT_HOME`), in SQLite unless
`PREFECT_SERVER_DATABASE_CONNECTION_URL` names a Postgres.
"""

import argparse
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx

from fer_data.locks import HeldError
from fer_data.stage import UserError
from flows.locks import one_at_a_time
from flows.parts import Part, running
from flows.workspace import environment

HOST = "127.0.0.1"
HOME = ".prefect"
POOL = "ferflow"
PATIENCE_SECONDS = 300.0
POLL_SECONDS = 0.5
UNFINISHED = ["PENDING", "RUNNING", "CANCELLING"]


def main() -> None:
    """Parses the command line and serves until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m flows.serve")
    parser.add_argument("--port", type=int, default=4200, help="of server and UI (default: 4200)")
    flags = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        serve(Path.cwd(), port=flags.port)
    except UserError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.stdout.write("\nEnded; what a run under way had finished is kept.\n")


def serve(workspace: Path, *, port: int) -> None:
    """Serves a workspace until it is interrupted; a server or worker that dies is started again.

    Raises:
        UserError: The port is taken, or something does not start.
    """
    with socket.socket() as probe:
        if probe.connect_ex((HOST, port)) == 0:
            raise UserError(f"something listens on port {port} already: choose another by --port")
    variables = variables_for(workspace, port=port)
    url, logs = variables["PREFECT_API_URL"], Path(variables["PREFECT_HOME"])
    start_server = ("server", "start", "--host", HOST, "--port", str(port))
    start_worker = ("worker", "start", "--pool", POOL, "--type", "process", "--name", "ferflow")
    with running(*start_server, variables=variables, log=logs / "server.log") as server:
        _wait_for(url, server)
        _prefect("work-pool", "create", POOL, "--type=process", "--overwrite", variables=variables)
        _prefect("work-pool", "set-concurrency-limit", POOL, "1", variables=variables)
        _prefect("--no-prompt", "deploy", "--all", variables=variables)
        if num_swept := sweep(workspace, url=url):
            _say(f"{num_swept} runs whose process is gone are marked as crashed")
        with running(*start_worker, variables=variables, log=logs / "worker.log") as worker:
            _say(f"The Prefect UI: http://{HOST}:{port} (Ctrl-C ends it)")
            while True:
                for part in (server, worker):
                    if part.revive():
                        _say(f"started again, since it had ended: see {part.log}")
                time.sleep(POLL_SECONDS)


def variables_for(workspace: Path, *, port: int) -> dict[str, str]:
    """The environment of server, worker and runs: the workspace's state and code, no telemetry."""
    paths = [str(workspace.absolute()), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        "PREFECT_HOME": str(workspace.absolute() / HOME),
        **environment(),
        "PREFECT_API_URL": f"http://{HOST}:{port}/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PYTHONPATH": os.pathsep.join(paths),
    }


def sweep(workspace: Path, *, url: str) -> int:
    """Marks runs as crashed whose process is gone, since a run under way keeps all others waiting.

    Args:
        workspace: If a flow runs in it, nothing is marked.
        url: The server's API.

    Returns:
        How many were marked.

    Raises:
        UserError: The server does not take it.
    """
    client = httpx.Client(base_url=url, timeout=PATIENCE_SECONDS)
    unfinished = {"flow_runs": {"state": {"type": {"any_": UNFINISHED}}}}
    crashed = {"type": "CRASHED", "message": "its process is gone"}
    try:
        with one_at_a_time(workspace), client:
            runs = client.post("/flow_runs/filter", json=unfinished).raise_for_status().json()
            for run in runs:
                client.post(
                    f"/flow_runs/{run['id']}/set_state", json={"state": crashed, "force": True}
                ).raise_for_status()
    except HeldError:
        return 0
    except httpx.HTTPError as error:
        raise UserError(f"the server does not answer: {' '.join(str(error).split())}") from None
    return len(runs)


def _say(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


def _wait_for(url: str, server: Part) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while server.runs and time.monotonic() < deadline:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{url}/health").is_success:
                return
        time.sleep(POLL_SECONDS)
    raise UserError(f"the server did not start: see {server.log}")


def _prefect(*words: str, variables: dict[str, str]) -> None:
    finished = subprocess.run(
        [sys.executable, "-m", "prefect", *words],
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )
    if finished.returncode:
        said = " ".join((finished.stdout + finished.stderr).split())
        raise UserError(f"`prefect {' '.join(words[:2])}` failed: {said}")


if __name__ == "__main__":
    main()
