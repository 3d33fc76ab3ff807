"""Real servers of ours on loopback, for tests; each ends by its own process id, whatever happens."""

import json
import os
import re
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from tests.support.warm.programs import kill, warm_programs

ROOT = Path(__file__).parents[3]
FERFLOW = str(Path(sys.executable).with_name("ferflow"))


@dataclass(frozen=True)
class Served:
    """A page that `ferflow` serves."""

    process: subprocess.Popen[str]
    address: str

    def kill(self) -> None:
        """Ends the process as a power cut would."""
        kill(self.process)

    def call(self, verb: str, *data: Any) -> Any:
        """Calls Gradio's API as the page does; gives the answer, or the error's words."""
        request = urllib.request.Request(
            f"{self.address}gradio_api/run/{verb}",
            data=json.dumps({"data": data}).encode(),
            headers={"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=300) as response:
                return json.load(response)["data"][0]
        except urllib.error.HTTPError as error:
            with error:
                return json.load(error)["error"]


@contextmanager
def served(
    command: str,
    *words: str,
    folder: Path,
    errors: IO[str] | None = None,
    in_new_process: bool = False,
    **changes: str,
) -> Iterator[Served]:
    """Types `ferflow COMMAND` in a folder, waits until it says its address, and ends it at last.

    Args:
        command: Such as `review`.
        *words: What else is typed.
        folder: Where.
        errors: Where its standard error goes; by default to that of the tests.
        in_new_process: Whether it is no copy of the warmed process.
        **changes: Of the environment.
    """
    ferflow = FERFLOW if in_new_process else warm_programs() / "ferflow"
    process = subprocess.Popen(
        [ferflow, command, "--port", str(free_port()), *words],
        cwd=folder,
        # Who runs the tests by SSH is told no more than others.
        env={**os.environ, "PYTHONPATH": str(ROOT), "SSH_CONNECTION": "", **changes},
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
    )
    assert process.stdout is not None
    with process.stdout as printed:
        try:
            line = printed.readline()
            address = re.search(r"http://127\.0\.0\.1:\d+/", line)
            assert address, line
            yield Served(process, address[0])
        finally:
            kill(process)


def free_port() -> int:
    """A port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
