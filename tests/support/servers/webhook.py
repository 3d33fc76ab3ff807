"""A webhook's receiver on loopback."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Receiver(ThreadingHTTPServer):
    """Keeps what is posted to its address as JSON, and answers with `status`; 0: never."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.address = f"http://127.0.0.1:{self.server_port}/hooks/secret"
        self.status = 200
        self.messages: list[dict[str, str | None]] = []
        self.released = threading.Event()


class _Handler(BaseHTTPRequestHandler):
    server: Receiver  # pyright: ignore[reportIncompatibleVariableOverride] - no other serves it

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers["Content-Type"] == "application/json" and self.path == "/hooks/secret":
            self.server.messages.append(json.loads(body))
        if self.server.status:
            self.send_response(self.server.status)
            if 300 <= self.server.status < 400:
                self.send_header("Location", "/elsewhere")
            self.end_headers()
        else:
            self.server.released.wait(60)

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by its parent
        del format, args


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Serves until the block ends, whatever happens in it."""
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.released.set()
            server.shutdown()
            thread.join()
