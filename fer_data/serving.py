"""Serves a page of ours and its API on this machine alone: a Gradio server in, an address out."""

import os
import secrets
from collections.abc import Callable
from functools import wraps
from typing import Any

import gradio as gr
from fastapi.responses import HTMLResponse, PlainTextResponse
from gradio import processing_utils, routes
from starlette.middleware.trustedhost import TrustedHostMiddleware

from fer_data.stage import UserError

HOST = "127.0.0.1"

_PAGE_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; connect-src 'self'; img-src 'self' data: blob:; "
        "style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "script-src 'nonce-{nonce}'"
    ),
}


def new_server(page: Callable[[str], str]) -> gr.Server:
    """A server that shows a page at `/`, to whom an API can be added.

    Args:
        page: The page's HTML, whose scripts must carry the nonce that it is given; it may fetch from
            this server alone.
    """
    _fetch_nothing()
    server = gr.Server(docs_url=None, redoc_url=None, openapi_url=None)
    # Else a page elsewhere could reach this one through a name that it lets point at this machine.
    server.add_middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"])

    @server.get("/")
    def show() -> HTMLResponse:
        nonce = secrets.token_urlsafe(16)
        headers = {name: text.format(nonce=nonce) for name, text in _PAGE_HEADERS.items()}
        return HTMLResponse(page(nonce), headers=headers)

    return server


def _fetch_nothing() -> None:
    """Lets Gradio download nothing: it takes an address where a file, or a file's path, is expected."""

    async def download(*_: Any, **__: Any) -> str:
        words = "this server fetches nothing: send the file, not an address"
        raise gr.Error(words, print_exception=False)

    async def stream(*_: Any, **__: Any) -> PlainTextResponse:
        return PlainTextResponse("this server fetches nothing", status_code=403)

    for name in ("async_ssrf_protected_get", "async_ssrf_protected_download"):
        setattr(processing_utils, name, download)
    routes.secure_url_stream_response = stream


def told(verb: Callable[..., Any]) -> Callable[..., Any]:
    """The verb, whose `UserError` is a line on the page."""

    @wraps(verb)
    def telling(*arguments: Any) -> Any:
        try:
            return verb(*arguments)
        except UserError as error:
            raise gr.Error(str(error), print_exception=False) from None

    return telling


def launch(server: gr.Server, *, port: int | None, max_file_size: int | None = None) -> str:
    """Serves until the process ends.

    Args:
        server: The server.
        port: By default the first free one from 7860.
        max_file_size: The largest upload, in bytes; by default there is no limit.

    Returns:
        The page's address.

    Raises:
        UserError: There is no such port, or it is in use.
    """
    if port is not None and not 0 < port < 65536:
        raise UserError(f"got the port {port}, expected 1 to 65535")
    # Gradio asks its makers for a newer version, and a proxy for its own page, unless told not to.
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["NO_PROXY"] = ",".join(filter(None, [os.environ.get("NO_PROXY"), HOST]))
    try:
        _, address, _ = server.launch(
            server_name=HOST,
            server_port=port,
            share=False,
            mcp_server=False,
            ssr_mode=False,
            enable_monitoring=False,
            prevent_thread_lock=True,
            show_error=True,
            quiet=True,
            max_file_size=max_file_size,
        )
    except OSError:
        taken = "no port from 7860 is free" if port is None else f"port {port} is in use"
        raise UserError(f"{taken}: choose another with `--port`") from None
    return address
