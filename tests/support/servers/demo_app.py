"""Real apps on tiny models, for the tests of the demo app."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.servers.processes import Served, served


@dataclass(frozen=True)
class App(Served):
    """A running app."""

    uploads: Path
    """The folder in which it makes its own for uploads."""

    errors: Path
    """What it wrote to its terminal as errors."""

    def kept(self) -> list[Path]:
        """The files that are left of uploads."""
        return [path for path in self.uploads.glob("ferflow-app-*/**/*") if path.is_file()]


@contextmanager
def running_app(
    folder: Path, *words: str, in_new_process: bool = False, **changes: str
) -> Iterator[App]:
    """An app, whose uploads lie in a folder of its own; `changes` are of the environment."""
    uploads = folder / "temporary"
    uploads.mkdir(exist_ok=True)
    errors = folder / "errors.txt"
    changes |= {"TMPDIR": str(uploads)}
    with (
        errors.open("w") as file,
        served(
            *("app", *words), folder=folder, errors=file, in_new_process=in_new_process, **changes
        ) as app,
    ):
        yield App(app.process, app.address, uploads, errors)
