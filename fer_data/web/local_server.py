"""Serves a page and its API with Gradio, on the loopback address only."""

import logging
import os
import secrets
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import wraps
from inspect import signature
from pathlib import Path
from typing import Any

import gradio as gr
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, PlainTextResponse
from gradio import processing_utils, route_utils, routes
from gradio.route_utils import FnIndexInferError, GradioMultiPartParser
from pydantic import ValidationError, validate_call
from python_multipart.exceptions import FormParserError
from starlette.datastructures import FormData
from starlette.formparsers import MultiPartException

from fer_data.core.errors import UserError, in_words, shown
from fer_data.web.loopback import exempt_loopback
from fer_data.web.request_guard import Guard, Uploads, host_names

HOST = "127.0.0.1"

_PAGE_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; connect-src 'self'; img-src 'self' data: blob:; "
        "style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "script-src 'nonce-{nonce}'"
    ),
}


def new_server(
    page: Callable[[str], str],
    *,
    allow_hosts: Sequence[str] = (),
    uploads: Uploads | None = None,
) -> gr.Server:
    """A server that shows a page at `/`, to whom an API can be added.

    Args:
        page: The page's HTML, whose scripts must carry the nonce that it is given; it may fetch from
            this server alone.
        allow_hosts: Names under which a proxy shows the page, beside those of this machine.
        uploads: What the page may upload; by default nothing.

    Raises:
        UserError: One of `allow_hosts` is no name of a host.
    """
    _fetch_nothing()
    server = gr.Server(docs_url=None, redoc_url=None, openapi_url=None)
    server.add_exception_handler(FnIndexInferError, _refuse)
    server.add_exception_handler(RequestValidationError, _refuse)
    server.add_middleware(Guard, hosts=host_names(allow_hosts), uploads=uploads)

    @server.get("/")
    def show() -> HTMLResponse:
        nonce = secrets.token_urlsafe(16)
        headers = {name: text.format(nonce=nonce) for name, text in _PAGE_HEADERS.items()}
        return HTMLResponse(page(nonce), headers=headers)

    return server


async def _refuse(request: Request, error: Exception) -> PlainTextResponse:
    """Answers a call that Gradio does not know, or cannot read, in one line."""
    if isinstance(error, RequestValidationError):
        wrong = error.errors()[0]
        place = ".".join(map(str, wrong["loc"]))
        return PlainTextResponse(f"{shown(place)}: {shown(wrong['msg'])}\n", 422)
    return PlainTextResponse(f"This server has no verb at {request.url.path}.\n", 404)


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


class _UploadParser(GradioMultiPartParser):
    """Gradio's, which breaks at a field that is no file, and keeps what it then does not name."""

    _is_whole = False

    def on_headers_finished(self) -> None:
        super().on_headers_finished()
        part = self._current_part
        if part.file is None or part.field_name != "files":
            raise MultiPartException("got a field that is no file of the name `files`")
        if Path(part.file.filename or "").name == "..":
            raise MultiPartException("got the filename '..', expected one of a file")

    def on_end(self) -> None:
        super().on_end()
        self._is_whole = True

    async def parse(self) -> FormData:
        try:
            form = await super().parse()
        except FormParserError as error:  # of a boundary that is none
            raise MultiPartException(shown(str(error))) from None
        if self._is_whole and self.items:
            return form
        for file in self._files_to_close_on_error:
            file.close()
            Path(file.name).unlink()
        raise MultiPartException(
            "got no file, or not all of it: expected files as multipart/form-data"
        )


def told(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Wraps an API function: a `UserError`, a full disk and an invalid argument become a line."""
    names = list(signature(verb).parameters)
    checked = validate_call(verb)

    @wraps(verb)
    def telling(*arguments: Any) -> Any:
        try:
            return checked(*arguments)
        except ValidationError as error:
            place, wrong = error.errors()[0]["loc"], error.errors()[0]
            name = ".".join(map(str, [names[int(place[0])], *place[1:]]))
            text = f"{verb.__name__}: got {wrong['input']!r:.60} for {name}: {wrong['msg']}"
            raise gr.Error(text, print_exception=False) from None
        except UserError as error:
            raise gr.Error(shown(str(error)), print_exception=False) from None
        except OSError as error:
            if error.errno is None:  # of a library, which may mean anything
                raise
            raise gr.Error(in_words(error), print_exception=False) from None

    return telling


def _checks(uploads: Uploads | None) -> Callable[..., None]:
    """What Gradio asks before a call, in place of its own question.

    Gradio prints a traceback where arguments lack, passes over those that are too many, and fetches or
    copies a file that an argument names before the verb can refuse it.
    """

    def check(block_fn: Any, inputs: list[Any]) -> None:
        expected = len(block_fn.inputs)
        if len(inputs) != expected:
            text = f"{block_fn.name}: got {len(inputs)} arguments, expected {expected}"
            raise gr.Error(text, print_exception=False)
        for path in _named_files(inputs):
            if uploads is None or not uploads.holds(path):
                text = "the image was not uploaded here, or is gone: send the file, not a path"
                raise gr.Error(text, print_exception=False)

    return check


def _named_files(arguments: list[Any]) -> Iterator[Any]:
    """What stands for a file's path anywhere in a call's arguments, however deep."""
    waiting: list[Any] = [arguments]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if "path" in value:
                yield value["path"]
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value


def launch(server: gr.Server, *, port: int | None, uploads: Uploads | None = None) -> str:
    """Serves until the process ends.

    Args:
        server: The server.
        port: By default the first free one from 7860.
        uploads: What the page may upload, as the server was told.

    Returns:
        The page's address.

    Raises:
        UserError: There is no such port, or it is in use.
    """
    if port is not None and not 0 < port < 65536:
        raise UserError(f"got the port {port}, expected 1 to 65535")
    # Gradio asks its makers for a newer version, unless told not to.
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    exempt_loopback()
    route_utils.GradioMultiPartParser = _UploadParser
    # Else what is wrong with a request would be a line on the terminal.
    logging.getLogger("python_multipart").addHandler(logging.NullHandler())
    try:
        with tempfile.TemporaryDirectory(prefix="ferflow-") as folder:
            # As it starts, Gradio makes a folder there for a tool of its own, and leaves it behind.
            routes.DEFAULT_TEMP_DIR = folder
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
                max_file_size=uploads.most_bytes if uploads else None,
            )
    except OSError:
        taken = "no port from 7860 is free" if port is None else f"port {port} is in use"
        raise UserError(f"{taken}: choose another with `--port`") from None
    server.get_blocks().validate_inputs = _checks(uploads)
    return address
