"""Guards a local server: refuses foreign origins, and uploads beyond its limits.

Whatever a browser shows can send requests to this machine. What it cannot do is lie about where they
come from: `Host` is the name that was typed, `Origin` and `Sec-Fetch-Site` say whose page asks.
"""

import asyncio
import re
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fer_data.core.errors import UserError
from fer_data.web.loopback import LOOPBACK

_MOST_BYTES = 1_000_000  # of a call: the pixels of 30 faces are some 100,000
_MOST_SECONDS = 60.0  # that a body may take to arrive
_MOST_AT_ONCE = 8  # uploads whose bytes are held in memory
_MOST_FILES = 25  # that wait in the folder of uploads; those before the newest are dropped
_MOST_AGE_SECONDS = 600.0
_ENVELOPE_BYTES = 65_536  # what multipart/form-data adds to a file
_UPLOAD = "/gradio_api/upload"
_CALLS = re.compile(r"/gradio_api/(api|call(?!/v2/)|cancel|queue|reset|run)(/|$)")
"""What a client of Gradio sends. Gradio has other routes that write files or run programs."""
_READS = re.compile(
    r"/(config|faces/[^/]+|gradio_api/(app_id|call/(?!v2/).+|heartbeat/.+|info|queue/.+|startup-events))?/?"
)
"""What the pages and a client of Gradio read. Others of its routes fetch for whoever asks, or write."""


@dataclass(frozen=True)
class Uploads:
    """The uploads of a server, and their limits."""

    folder: Path
    """Where Gradio puts the files, each in a folder of its own."""
    most_bytes: int
    """Of one upload."""
    arriving: list[None] = field(default_factory=list)
    """One for each upload whose bytes are still coming in."""

    def holds(self, path: Any) -> bool:
        """Whether a path, as a client sent it, is that of a file that was uploaded and is there."""
        try:
            file = Path(path).resolve()
            return file.is_relative_to(self.folder.resolve()) and file.is_file()
        except (OSError, TypeError, ValueError):
            return False

    def sweep(self, *, most_files: int | None = None) -> None:
        """Deletes uploads unused for ten minutes, and all but the newest `most_files`."""
        oldest = time.time() - _MOST_AGE_SECONDS
        files = sorted((path for path in self.folder.rglob("*") if path.is_file()), key=_written)
        kept = len(files) if most_files is None else most_files
        for number, path in enumerate(files):
            if number < len(files) - kept or _written(path) < oldest:
                path.unlink(missing_ok=True)
        for path in self.folder.glob("*/"):
            if _written(path) < oldest:
                with suppress(OSError):  # it holds a newer file
                    path.rmdir()

    def sweep_on(self) -> None:
        """Sweeps every minute until the process ends."""

        def sweeping() -> None:
            while True:
                time.sleep(_MOST_AGE_SECONDS / 10)
                self.sweep()

        threading.Thread(target=sweeping, name="sweep uploads", daemon=True).start()


def _written(path: Path) -> float:
    """When a file was written, in seconds since 1970; now if it is gone."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return time.time()


def host_names(names: Iterable[str]) -> frozenset[str]:
    """The hosts of `--allow-host` as requests name them.

    Raises:
        UserError: One of them is an address with a scheme, a port or a path, or a pattern.
    """
    for name in names:
        if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\]", name):
            raise UserError(
                f"--allow-host: got '{name}', expected a host's name or address alone, "
                "such as faces.example or [2001:db8::1]"
            )
    return frozenset(name.strip("[]").lower() for name in names) - {*LOOPBACK}


class Guard:
    """ASGI middleware that refuses requests that Ferflow's pages never send."""

    def __init__(
        self, app: ASGIApp, *, hosts: frozenset[str] = frozenset(), uploads: Uploads | None = None
    ) -> None:
        """Guards an app.

        Args:
            app: What answers.
            hosts: Names other than this machine's own under which a proxy shows the page; pages of these
                hosts, on any port, are the page's own.
            uploads: What may be uploaded; by default nothing.
        """
        self._app, self._hosts, self._uploads = app, hosts, uploads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a refusal, or lets the app answer."""
        if scope["type"] == "lifespan":
            return await self._app(scope, receive, send)
        if scope["type"] != "http":  # no page here uses WebSocket
            return await send({"type": "websocket.close", "code": 1008})
        refusal = self._refusal(scope)
        if refusal is None and _has_body(scope):
            return await self._take(scope, receive, send)
        if refusal is not None:
            return await refusal(scope, receive, send)
        try:
            return await self._app(scope, receive, send)
        except RuntimeError as error:  # of a stream that has told the client of it
            if not isinstance(error.__cause__, HTTPException):
                raise
            return await send({"type": "http.response.body"})

    def _refusal(self, scope: Scope) -> PlainTextResponse | None:
        """Why a request is not answered, by its headers."""
        headers, path = Headers(scope=scope), scope["path"]
        # 1. The host is ours: else a name elsewhere was pointed at this machine (DNS rebinding).
        host = headers.get("host", "")
        if _host_name(host) not in {*LOOPBACK, *self._hosts}:
            known = ", ".join([*LOOPBACK[:2], "[::1]", *sorted(self._hosts)])
            return PlainTextResponse(
                f"Got a request for the host '{host}', expected one of {known}. Behind a proxy, start "
                "this server with `--allow-host HOST`.\n",
                400,
            )
        # 2. The page that asks is ours: else a page of another site asks (CSRF).
        origins = headers.getlist("origin")
        if any(self._is_foreign(origin, host) for origin in origins) or _is_foreign_fetch(scope):
            return PlainTextResponse("Only this server's own page may ask it.\n", 403)
        # 3. The route is one that our pages use: Gradio has others, which fetch or write files.
        if not _has_body(scope):
            known = _READS.fullmatch(path)
            return None if known else PlainTextResponse(f"There is nothing at {path!a}.\n", 404)
        if _CALLS.match(path) or (self._uploads and path == _UPLOAD):
            return None
        return PlainTextResponse(f"This server takes nothing at {path}.\n", 404)

    def _is_foreign(self, origin: str, host: str) -> bool:
        """Whether a page at `origin` is another one than that of `host`."""
        try:
            parts = urlsplit(origin)
            named = parts.hostname in self._hosts
        except ValueError:
            return True
        own = parts.netloc.lower() == host.lower()
        return parts.scheme not in ("http", "https") or not (own or named)

    async def _take(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets the app answer once the whole body is there, so that it never sees half of one."""
        if self._uploads is None or scope["path"] != _UPLOAD:
            return await self._hand_over(_MOST_BYTES, scope, receive, send)
        arriving = self._uploads.arriving
        if len(arriving) >= _MOST_AT_ONCE:
            refusal = PlainTextResponse("Too many uploads at once: try again in a minute.\n", 503)
            return await refusal(scope, receive, send)
        arriving.append(None)  # held in memory from here on, so that few at once are let in
        try:
            await asyncio.to_thread(self._uploads.sweep, most_files=_MOST_FILES - 1)
            most = self._uploads.most_bytes + _ENVELOPE_BYTES
            return await self._hand_over(most, scope, receive, send)
        finally:
            arriving.pop()

    async def _hand_over(self, most: int, scope: Scope, receive: Receive, send: Send) -> None:
        """Reads at most `most` bytes, whatever the headers say of their number, and hands them on."""
        try:
            async with asyncio.timeout(_MOST_SECONDS):
                body = await _read(scope, receive, most)
        except TimeoutError:
            return await PlainTextResponse("The request came too slowly.\n", 408)(
                scope, receive, send
            )
        if body is None:
            text = f"The request is too large: expected at most {most} bytes.\n"
            return await PlainTextResponse(text, 413)(scope, receive, send)
        whole: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def replay() -> Message:
            return whole.pop() if whole else await receive()

        return await self._app(scope, replay, send)


async def _read(scope: Scope, receive: Receive, most: int) -> bytes | None:
    """The body; None if it is longer than `most` bytes, or the client has gone."""
    announced = Headers(scope=scope).get("content-length", "0")
    if not announced.isdecimal() or int(announced) > most:
        return None
    body = bytearray()  # counted as it comes, since a header may lie or be absent
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if len(body) > most:
            return None
        if not message.get("more_body", False):
            return bytes(body)


def _has_body(scope: Scope) -> bool:
    return scope["method"] not in ("GET", "HEAD", "OPTIONS")


def _host_name(host: str) -> str | None:
    """The name in a `Host` header, without its port and brackets."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


def _is_foreign_fetch(scope: Scope) -> bool:
    """Whether a browser says that another site's page asks, save for a link that opens our page."""
    headers = Headers(scope=scope)
    if headers.get("sec-fetch-site", "none") in ("none", "same-origin"):
        return False
    opened = headers.get("sec-fetch-mode") == "navigate" and not _has_body(scope)
    return not (opened and scope["path"] == "/")
