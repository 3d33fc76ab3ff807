"""Serves the demo app: a page that predicts the expressions in an image, and an API that does the same.

Gradio serves both on the loopback device alone, and keeps no image: what is uploaded lies in a folder
of its own until its faces are found.
"""

import atexit
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any

import gradio as gr
from gradio import FileData

from fer_data.core.errors import UserError
from fer_data.web.html import render_page
from fer_data.web.local_server import launch, new_server, told
from fer_data.web.request_guard import Uploads
from fer_models.app.api import MOST_FACES, Service
from fer_models.detection.face_detector import FaceFinder
from fer_models.inference.model_store import ModelStore

MOST_BYTES = 20_000_000
"""Of an image file."""
MOST_SECONDS = 60.0
"""That a request waits for those before it."""


def open_app(store: ModelStore, *, port: int | None = None, allow_hosts: Sequence[str] = ()) -> str:
    """Serves the app until the process ends.

    Args:
        store: The models; each is loaded at its first prediction.
        port: By default the first free one from 7860.
        allow_hosts: Names under which a proxy shows the page, beside those of this machine.

    Returns:
        The page's address.

    Raises:
        UserError: There is no free port, or one of `allow_hosts` is no name of a host.
    """
    folder = Path(tempfile.mkdtemp(prefix="ferflow-app-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ["GRADIO_TEMP_DIR"] = str(folder)
    uploads = Uploads(folder, MOST_BYTES)
    uploads.sweep_on()
    service = Service(store, FaceFinder())
    server = make_server(service, store.expressions, uploads=uploads, allow_hosts=allow_hosts)
    return launch(server, port=port, uploads=uploads)


def make_server(
    service: Service,
    expressions: tuple[str, ...],
    *,
    uploads: Uploads,
    allow_hosts: Sequence[str] = (),
) -> gr.Server:
    """Builds the server of the page, and of the API that the page calls.

    Args:
        service: The methods of the API.
        expressions: The K classes.
        uploads: Where Gradio puts uploaded images.
        allow_hosts: Names under which a proxy shows the page, beside those of this machine.
    """
    settings = {
        "expressions": expressions,
        "models": service.models(),
        "first": service.first(),
        "most_bytes": MOST_BYTES,
        "most_faces": MOST_FACES,
    }

    def page(nonce: str) -> str:
        return render_page("fer_models.app", "app.html.j2", settings=settings, nonce=nonce)

    def models() -> list[dict[str, Any]]:
        return service.models()

    def find(image: FileData, whole: bool = False) -> dict[str, Any]:
        return service.find(_taken(image), whole=whole)

    def ask(faces: list[str], model: str) -> list[dict[str, Any]]:
        return service.ask(faces, model)

    def read(image: FileData, model: str) -> dict[str, Any]:
        return service.read(_taken(image), model)

    def heat_map(face: str, model: str) -> dict[str, Any]:
        return service.heat_map(face, model)

    server = new_server(page, allow_hosts=allow_hosts, uploads=uploads)
    turn = threading.Lock()
    for verb in (models, find, ask, read, heat_map):
        server.api(told(_in_turn(verb, turn)), name=verb.__name__, queue=False)
    return server


def _in_turn(verb: Callable[..., Any], turn: threading.Lock) -> Callable[..., Any]:
    """The verb, one call at a time: two would take twice as long, and the memory of both."""

    @wraps(verb)
    def waiting(*arguments: Any) -> Any:
        if not turn.acquire(timeout=MOST_SECONDS):
            raise UserError("too many images wait for their turn: try again in a minute")
        try:
            return verb(*arguments)
        finally:
            turn.release()

    return waiting


def _taken(image: FileData) -> bytes:
    """The bytes of an uploaded image, which is deleted.

    Raises:
        UserError: It is gone.
    """
    file = Path(image.path)
    try:
        return file.read_bytes()
    except OSError:
        raise UserError("the image is gone already: upload it again") from None
    finally:
        file.unlink(missing_ok=True)
