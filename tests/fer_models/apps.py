"""Real apps on tiny models, for the tests of the demo app."""

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.fer_data.desks import free_port

ROOT = Path(__file__).parents[2]
FERFLOW = str(Path(sys.executable).with_name("ferflow"))


@dataclass(frozen=True)
class App:
    """A running app."""

    process: subprocess.Popen[str]
    address: str
    uploads: Path
    """The folder in which it makes its own for uploads."""

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

    def kept(self) -> list[Path]:
        """The files that are left of uploads."""
        return [path for path in self.uploads.glob("ferflow-app-*/**/*") if path.is_file()]


@contextmanager
def running_app(folder: Path, *words: str) -> Iterator[App]:
    """Types `ferflow app` in a folder, waits until it says its address, and ends it at last."""
    uploads = folder / "temporary"
    uploads.mkdir(exist_ok=True)
    process = subprocess.Popen(
        [FERFLOW, "app", "--port", str(free_port()), *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(uploads)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert "http://127.0.0.1:" in line, line
        yield App(process, line.split()[2], uploads)
    finally:
        process.kill()
        process.wait(30)
        if process.stdout is not None:
            process.stdout.close()
