"""Loopback is reached whatever proxies the environment names, by httpx and by urllib."""

import os
import threading
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx
import pytest

from fer_data.web.loopback import exempt_loopback

DEAD = "http://127.0.0.1:9"


class Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"ours")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 as the base names it
        """Says nothing."""


@pytest.fixture
def port() -> Iterator[int]:
    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    for name in ("no_proxy", "NO_PROXY"):  # so that what the function sets is taken back
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    # urllib remembers the proxies of its first request for all that come after in this process.
    monkeypatch.setattr(urllib.request, "_opener", None)


@pytest.mark.parametrize(
    "proxies",
    [
        {"http_proxy": DEAD},
        {"http_proxy": DEAD, "no_proxy": "example.org"},
        {"http_proxy": DEAD, "no_proxy": "", "NO_PROXY": "example.org"},
        {"HTTPS_PROXY": DEAD, "ALL_PROXY": DEAD},
        {"all_proxy": "socks5://127.0.0.1:9"},
        {"ALL_PROXY": "socks://127.0.0.1:9/", "https_proxy": "socks5h://127.0.0.1:9"},
        {"http_proxy": "127.0.0.1:9", "no_proxy": "[::1], fe80::/10,10.0.0.0/8,*.local"},
    ],
)
def test_this_machine_reaches_itself(
    monkeypatch: pytest.MonkeyPatch, port: int, proxies: dict[str, str]
) -> None:
    for name, value in proxies.items():
        monkeypatch.setenv(name, value)
    exempt_loopback()
    for host in ("127.0.0.1", "localhost"):
        address = f"http://{host}:{port}/"
        assert httpx.get(address, timeout=30).text == "ours"
        with urllib.request.urlopen(address, timeout=30) as answer:
            assert answer.read() == b"ours"


def test_other_hosts_keep_their_proxy() -> None:
    given = {
        "https_proxy": DEAD,
        "http_proxy": "proxy:80",
        "no_proxy": "a.org",
        "NO_PROXY": "b.org",
    }
    exempt_loopback(given)
    exempt_loopback(given)
    both = "a.org,b.org,127.0.0.1,localhost,::1"
    assert given == {
        "https_proxy": DEAD,
        "http_proxy": "proxy:80",
        "no_proxy": both,
        "NO_PROXY": both,
    }
