"""What a server of ours refuses: raw requests, to a real review app and to a guarded app of our own."""

import asyncio
import http.client
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from fer_data.core.errors import UserError
from fer_data.web.request_guard import Guard, Uploads, host_names
from tests.support.servers.processes import Served
from tests.support.servers.review_app import make_workspace, running_review_app

FORM = {"Content-Type": "multipart/form-data; boundary=x"}
FILE = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n%s\r\n--x--\r\n'
HOST = "127.0.0.1:7860"


@pytest.fixture(scope="module")
def review_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = make_workspace(tmp_path_factory.mktemp("review app") / "workspace")
    with running_review_app(
        folder, "--annotator", "ann", "--allow-host", "faces.example"
    ) as review_app:
        yield review_app


def asked(
    server: Served,
    path: str,
    method: str = "GET",
    body: Any = None,
    **headers: str,
) -> tuple[int, str]:
    """The status and the text that a request gets; a body that is a list is sent in chunks."""
    connection = http.client.HTTPConnection(urlsplit(server.address).netloc, timeout=60)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, body, named, encode_chunked=isinstance(body, list))
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text


CALL = ("/gradio_api/run/decided", "POST", b'{"data": []}')
JSON = {"Content_Type": "application/json"}


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "http://127.0.0.1:1"},  # another server of this machine
        {"Origin": "http://127.0.0.1.evil.example"},
        {"Origin": "https://evil.example", "Host": "faces.example"},
        {"Origin": "null"},
        {"Origin": "http://["},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_what_another_page_sends_is_refused(review_app: Served, headers: dict[str, str]) -> None:
    assert asked(review_app, *CALL, **JSON)[0] == 200
    assert asked(review_app, *CALL, **JSON, **headers) == (
        403,
        "Only this server's own page may ask it.\n",
    )
    assert asked(review_app, "/gradio_api/info", **headers)[0] == 403
    form = {"Content-Type": FORM["Content-Type"]}
    assert asked(review_app, "/gradio_api/upload", "POST", FILE % b"a", **form, **headers)[0] == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "OWN"},
        {"Origin": "https://faces.example", "Host": "faces.example"},
        {"Origin": "https://faces.example:8443"},  # a proxy that asks for 127.0.0.1
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        {"Host": "localhost:9000", "Origin": "http://localhost:9000"},  # ssh -L 9000:...
        {"Host": "[::1]:9000"},
    ],
)
def test_what_its_own_page_sends_is_answered(review_app: Served, headers: dict[str, str]) -> None:
    own = {
        name: review_app.address.rstrip("/") if it == "OWN" else it for name, it in headers.items()
    }
    assert asked(review_app, *CALL, **JSON, **own)[0] == 200


def test_a_link_elsewhere_may_open_the_page_and_nothing_else(review_app: Served) -> None:
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert asked(review_app, "/", **link)[0] == 200
    assert asked(review_app, "/gradio_api/info", **link)[0] == 403


def test_another_host_is_told_what_to_do(review_app: Served) -> None:
    status, text = asked(review_app, "/", Host="evil.example:80")
    assert status == 400
    assert "'evil.example:80', expected one of 127.0.0.1, localhost, [::1], faces.example." in text
    assert "`--allow-host HOST`" in text


@pytest.mark.parametrize("path", ["upload", "process_recording", "component_server", "vibe-edit"])
def test_a_review_app_takes_no_files(review_app: Served, path: str) -> None:
    body = FILE % b"a"
    status, text = asked(review_app, f"/gradio_api/{path}", "POST", body, **FORM)
    assert (status, text) == (404, f"This server takes nothing at /gradio_api/{path}.\n")


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/deep_link?session_hash=x",  # writes a file
        "/gradio_api/file=params.yaml",
        "/gradio_api/proxy=http://127.0.0.1/",
        "/gradio_api/call/v2/decided/x",
        "/monitoring",
        "/static/x",
    ],
)
def test_what_no_page_of_ours_reads_is_not_there(review_app: Served, path: str) -> None:
    status, text = asked(review_app, path)
    assert (status, text) == (404, f"There is nothing at '{path.partition('?')[0]}'.\n")


@pytest.mark.parametrize("body", [b'"' + bytes(1_000_000), [b'"', bytes(500_000), bytes(500_000)]])
def test_a_call_is_not_larger_than_a_page_makes_it(review_app: Served, body: Any) -> None:
    if isinstance(body, list):
        headers = {"Transfer-Encoding": "chunked"}
        status, text = asked(review_app, CALL[0], "POST", body, **JSON, **headers)
    else:
        status, text = asked(review_app, CALL[0], "POST", body, **JSON)
    assert (status, "expected at most 1000000 bytes" in text) == (413, True)


def uploads_of(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_old_uploads_are_dropped(tmp_path: Path) -> None:
    uploads = Uploads(tmp_path, 100)
    for number in range(40):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / f"{number}.png").touch()
        os.utime(tmp_path / str(number) / f"{number}.png", (0, time.time() - 705 + 10 * number))
    (tmp_path / "empty").mkdir()
    os.utime(tmp_path / "empty", (0, 0))
    uploads.sweep()
    assert len(uploads_of(tmp_path)) == 29  # those of the last ten minutes
    assert not (tmp_path / "empty").exists()
    assert (tmp_path / "0").exists()  # may have been made for an upload that is coming in
    uploads.sweep(most_files=2)
    assert uploads_of(tmp_path) == ["38.png", "39.png"]


def answered_with(guard: Guard, *messages: dict[str, Any]) -> list[Any]:
    """What a guarded app sends for an upload that comes in these messages."""
    sent: list[Any] = []
    scope = {"type": "http", "method": "POST", "path": "/gradio_api/upload", "headers": []}
    scope["headers"] = [(b"host", HOST.encode())]
    coming = iter(messages)

    async def receive() -> dict[str, Any]:
        return next(coming)

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(guard(scope, receive, send))
    return sent


def test_half_an_upload_never_reaches_the_app(tmp_path: Path) -> None:
    bodies: list[bytes] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:  # noqa: ARG001
        bodies.append((await receive())["body"])

    guard = Guard(app, uploads=Uploads(tmp_path, 10))
    part = {"type": "http.request", "body": b"abc", "more_body": True}
    gone = {"type": "http.disconnect"}
    answered_with(guard, part, gone)
    large = {"type": "http.request", "body": bytes(70_000), "more_body": True}
    assert answered_with(guard, part, large)[0]["status"] == 413
    assert bodies == []
    answered_with(guard, part, {"type": "http.request", "body": b"d"})
    assert bodies == [b"abcd"]


def test_too_many_uploads_at_once_wait(tmp_path: Path) -> None:
    uploads = Uploads(tmp_path, 10, arriving=[None] * 8)
    sent = answered_with(Guard(None, uploads=uploads))  # pyright: ignore[reportArgumentType]
    assert sent[0]["status"] == 503


@pytest.mark.parametrize(
    "name", ["*", "http://faces.example", "faces.example:80", "", "a b", "::1"]
)
def test_allowed_hosts_are_names(name: str) -> None:
    with pytest.raises(UserError, match="expected a host's name or address alone"):
        host_names([name])
    assert host_names(["Faces.example", "[2001:DB8::1]", "localhost"]) == {
        "faces.example",
        "2001:db8::1",
    }
