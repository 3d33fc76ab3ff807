"""The demo app: a page that reads the expressions of a picture's faces, and an API that does the same.

In come trained models, of a workspace or a bundle. Gradio serves both on the loopback device alone, and
keeps no picture: what is uploaded lies in a folder of its own until its faces are found.
"""

import atexit
import os
import shutil
import tempfile
import threading
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import gradio as gr
from gradio import FileData

from fer_data.page import render_page
from fer_data.serving import launch, new_server, told
from fer_data.stage import UserError
from fer_models.faces import FaceFinder
from fer_models.service import MOST_FACES, Service
from fer_models.shelf import Shelf

MOST_BYTES = 20_000_000
"""Of a picture file."""
MOST_SECONDS = 60.0
"""That a request waits for those before it."""


def open_app(shelf: Shelf, *, port: int | None = None) -> str:
    """Serves the app until the process ends.

    Args:
        shelf: The models; they are loaded when they are asked.
        port: By default the first free one from 7860.

    Returns:
        The page's address.

    Raises:
        UserError: There is no free port.
    """
    uploads = Path(tempfile.mkdtemp(prefix="ferflow-app-"))
    atexit.register(shutil.rmtree, uploads, ignore_errors=True)
    os.environ["GRADIO_TEMP_DIR"] = str(uploads)
    server = make_server(Service(shelf, FaceFinder()), shelf.expressions, uploads=uploads)
    return launch(server, port=port, max_file_size=MOST_BYTES)


def make_server(service: Service, expressions: tuple[str, ...], *, uploads: Path) -> gr.Server:
    """The page, and the API that the page calls.

    Args:
        service: What answers.
        expressions: The K classes.
        uploads: Where Gradio puts uploaded pictures.
    """
    settings = {
        "expressions": expressions,
        "models": service.models(),
        "first": service.first(),
        "most_bytes": MOST_BYTES,
        "most_faces": MOST_FACES,
    }

    def page(nonce: str) -> str:
        return render_page("fer_models", "app.html.j2", settings=settings, nonce=nonce)

    def models() -> list[dict[str, Any]]:
        return service.models()

    def find(picture: FileData, whole: bool = False) -> dict[str, Any]:
        return service.find(_taken(picture, uploads), whole=whole)

    def ask(faces: list[str], model: str) -> list[dict[str, Any]]:
        return service.ask(faces, model)

    def read(picture: FileData, model: str) -> dict[str, Any]:
        return service.read(_taken(picture, uploads), model)

    def heat_map(face: str, model: str) -> dict[str, Any]:
        return service.heat_map(face, model)

    server, turn = new_server(page), threading.Lock()
    for verb in (models, find, ask, read, heat_map):
        server.api(told(_in_turn(verb, turn)), name=verb.__name__, queue=False)
    return server


def _in_turn(verb: Callable[..., Any], turn: threading.Lock) -> Callable[..., Any]:
    """The verb, one call at a time: two would take twice as long, and the memory of both."""

    @wraps(verb)
    def waiting(*arguments: Any) -> Any:
        if not turn.acquire(timeout=MOST_SECONDS):
            raise UserError("too many pictures wait for their turn: try again in a minute")
        try:
            return verb(*arguments)
        finally:
            turn.release()

    return waiting


def _taken(picture: Any, uploads: Path) -> bytes:
    """The bytes of an uploaded picture, which is deleted.

    Raises:
        UserError: The file is none that was uploaded here, or is gone.
    """
    file = Path(str(picture.get("path") if isinstance(picture, dict) else picture)).resolve()
    if not file.is_relative_to(uploads.resolve()):
        raise UserError("the picture was not uploaded here: send the file, not a path")
    try:
        return file.read_bytes()
    except OSError:
        raise UserError("the picture is gone already: upload it again") from None
    finally:
        file.unlink(missing_ok=True)
