"""The app takes no address for an image: nobody can let this machine ask another one."""

import http.server
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from fer_models.inference.bundle import pack
from fer_models.inference.sources import Workspace
from tests.support.models.trained_workspace import make_models
from tests.support.servers.demo_app import App, running_app
from tests.support.servers.processes import ROOT

HOST = "huggingface.co"  # which Gradio fetches from, wherever it lies

# All names lead to this machine, and which were looked up is written down.
_RESOLVER = """
import os, socket

_real = socket.getaddrinfo

def getaddrinfo(host, *rest, **options):
    name = host.decode() if isinstance(host, bytes) else host
    if name in (None, "127.0.0.1", "localhost"):
        return _real(host, *rest, **options)
    with open(os.environ["LOOKED_UP"], "a") as file:
        print(name, file=file)
    return _real("127.0.0.1", *rest, **options)

socket.getaddrinfo = getaddrinfo
"""


@dataclass
class Elsewhere:
    """A server on this machine, which stands for all others."""

    port: int
    looked_up: Path
    requests: list[str] = field(default_factory=list)

    def was_asked(self) -> bool:
        return bool(self.requests) or self.looked_up.exists()


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Elsewhere]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.requests.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *_: object) -> None:  # noqa: A002 that is its name
            """Says nothing."""

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        looked_up = tmp_path_factory.mktemp("elsewhere") / "looked_up"
        found = Elsewhere(server.server_address[1], looked_up)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield found
        server.shutdown()


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, elsewhere: Elsewhere) -> Iterator[App]:
    folder = tmp_path_factory.mktemp("app")
    pack(
        Workspace(make_models(folder / "w", "scratch")),
        ["scratch"],
        folder / "b.zip",
        revision=None,
    )
    (folder / "resolver").mkdir()
    (folder / "resolver/sitecustomize.py").write_text(_RESOLVER)
    path = os.pathsep.join([str(ROOT), str(folder / "resolver")])
    names = {"PYTHONPATH": path, "LOOKED_UP": str(elsewhere.looked_up)}
    with running_app(folder, "--bundle", "b.zip", in_new_process=True, **names) as app:
        yield app


@pytest.mark.parametrize("meta", [{}, {"meta": {"_type": "gradio.FileData"}}])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_an_address_is_no_image(app: App, elsewhere: Elsewhere, meta: dict, scheme: str) -> None:
    address = f"{scheme}://{HOST}:{elsewhere.port}/image.png"
    for verb in ("read", "find"):
        words = app.call(verb, {"path": address, "url": address, **meta}, "scratch")
        assert "send the file, not a" in words
    assert not elsewhere.was_asked()
    assert app.kept() == []


@pytest.mark.parametrize("verb", ["ask", "heat_map"])
def test_no_other_verb_fetches_either(app: App, elsewhere: Elsewhere, verb: str) -> None:
    address = f"http://{HOST}:{elsewhere.port}/image.png"
    file = {"path": address, "meta": {"_type": "gradio.FileData"}}
    app.call(verb, file, "scratch")
    assert not elsewhere.was_asked()


def test_it_passes_nothing_on(app: App, elsewhere: Elsewhere) -> None:
    address = f"http://{HOST}:{elsewhere.port}/image.png"
    for route in ("file=", "proxy="):
        response = httpx.get(f"{app.address}gradio_api/{route}{address}", timeout=60)
        assert response.status_code >= 400
    assert not elsewhere.was_asked()
