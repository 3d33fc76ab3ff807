"""Starts all that the flow's deployments need on this machine: server, pool, deployments, worker.

    ferflow serve --port 4200

Everything listens on loopback, and keeps its state in `.prefect/` (`PREFECT_HOME`), in SQLite unless
`PREFECT_SERVER_DATABASE_CONNECTION_URL` names a Postgres. The server asks for the string in
`.prefect/auth_string`, which what is started here, or typed in this folder, finds by itself.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import NoReturn

import httpx
from prefect.context import refresh_global_settings_context

from fer_data.core.errors import UserError
from fer_data.web.loopback import exempt_loopback
from flows.pipeline.api_access import AUTH_FILE, HOME, PROFILE_FILE, announced, protection
from flows.pipeline.dead_runs import sweep, sweep_at_start
from flows.pipeline.old_flow_runs import vacuum_variables
from flows.pipeline.supervised import SupervisedProcess, running
from flows.workspace.client import environment

HOST = "127.0.0.1"
POOL = "ferflow"
PATIENCE_SECONDS = 300.0
POLL_SECONDS = 0.5
SWEEP_SECONDS = 60.0


def serve_until_interrupted(*, port: int) -> None:
    """Serves the current folder until Ctrl-C or a termination signal.

    Raises:
        UserError: As `serve`.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        serve(Path.cwd(), port=port)
    except KeyboardInterrupt:
        sys.stdout.write("\nEnded; what a run under way had finished is kept.\n")


def serve(workspace: Path, *, port: int) -> None:
    """Serves a workspace until it is interrupted; a server or worker that dies is started again.

    Raises:
        UserError: The port is taken, or something does not start.
    """
    with socket.socket() as probe:
        if probe.connect_ex((HOST, port)) == 0:
            raise UserError(
                f"something listens on port {port} already: choose another by `make serve PORT=...`, or "
                "`ferflow serve --port ...`"
            )
    exempt_loopback()
    variables = variables_for(workspace, port=port)
    url, logs = variables["PREFECT_API_URL"], Path(variables["PREFECT_HOME"])
    start_server = ("server", "start", "--host", HOST, "--port", str(port))
    start_worker = ("worker", "start", "--pool", POOL, "--type", "process", "--name", "ferflow")
    _say("Starting the server")
    with (
        running(*start_server, variables=variables, log=logs / "server.log") as server,
        announced(workspace, url=url),
    ):
        _wait_for(url, server)
        _prefect("work-pool", "create", POOL, "--type=process", "--overwrite", variables=variables)
        _prefect("work-pool", "set-concurrency-limit", POOL, "1", variables=variables)
        _prefect("--no-prompt", "deploy", "--all", variables=variables)
        # Few tries: while the server is away, it is to be started again first of all.
        os.environ.update(variables, PREFECT_CLIENT_MAX_RETRIES="2")
        refresh_global_settings_context()
        _say_swept(sweep_at_start(workspace))
        with running(*start_worker, variables=variables, log=logs / "worker.log") as worker:
            _say(f"The Prefect UI: http://{HOST}:{port} (Ctrl-C ends it)")
            _say(f"It asks each browser once for the string in {workspace.absolute() / AUTH_FILE}")
            _keep(server, worker)


def _keep(*parts: SupervisedProcess) -> NoReturn:
    """Starts parts again that end, and sweeps every minute, until it is interrupted."""
    swept = time.monotonic()
    while True:
        for part in parts:
            if part.revive():
                _say(f"started again, since it had ended: see {part.log}")
        if time.monotonic() - swept > SWEEP_SECONDS:
            _say_swept(sweep())
            swept = time.monotonic()
        time.sleep(POLL_SECONDS)


def variables_for(workspace: Path, *, port: int) -> dict[str, str]:
    """The environment of server, worker and runs: the workspace's state and code, no telemetry."""
    paths = [str(workspace.absolute()), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        "PREFECT_HOME": str(workspace.absolute() / HOME),
        **environment(),
        **protection(workspace, origins=f"http://{HOST}:{port},http://localhost:{port}"),
        "PREFECT_API_URL": f"http://{HOST}:{port}/api",
        "PREFECT_PROFILES_PATH": str(workspace.absolute() / PROFILE_FILE),
        "PREFECT_UI_API_URL": "/api",  # of whichever name the page was opened by
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        **vacuum_variables(workspace),
        "PYTHONPATH": os.pathsep.join(paths),
    }


def _say_swept(num_marked: int) -> None:
    if num_marked:
        _say(f"{num_marked} runs whose process is gone are marked as ended")


def _say(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


def _wait_for(url: str, server: SupervisedProcess) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while server.runs and time.monotonic() < deadline:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{url}/health", trust_env=False).is_success:
                return
        time.sleep(POLL_SECONDS)
    did_not = "answer" if server.runs else "start"
    raise UserError(f"the server did not {did_not}: see {server.log}")


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
    sys.stderr.write("error: `python -m flows.pipeline.serve` is now `ferflow serve`\n")
    sys.exit(2)
