import logging
import socket
from collections.abc import Iterator

import pytest

from flows.pipeline.notifications import Failure, tell
from tests.support.servers.webhook import Receiver, receiving

logger = logging.getLogger("flow")
FAILURE = Failure(
    "it failed", "rebuild", "hungry-hare", "Failed", "ingest: no archive", None, "now"
)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as server:
        yield server


@pytest.fixture(autouse=True)
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO)
    return caplog


def test_the_receiver_gets_the_failure(receiver: Receiver, log) -> None:
    assert tell(FAILURE, webhook=receiver.address, logger=logger)
    assert receiver.messages == [
        {
            "text": "it failed",
            "flow": "rebuild",
            "run": "hungry-hare",
            "state": "Failed",
            "reason": "ingest: no archive",
            "url": None,
            "at": "now",
        }
    ]
    assert log.messages == [f"told 127.0.0.1:{receiver.server_port}"]


def test_the_address_may_be_in_the_environment(receiver: Receiver, monkeypatch) -> None:
    monkeypatch.setenv("FERFLOW_WEBHOOK", receiver.address)
    assert tell(FAILURE, webhook="$FERFLOW_WEBHOOK", logger=logger)
    assert len(receiver.messages) == 1


@pytest.mark.parametrize("value", [None, "", "file:///etc/passwd", "https://", "secret"])
def test_a_variable_without_an_address_is_named(monkeypatch, log, value: str | None) -> None:
    monkeypatch.delenv("FERFLOW_WEBHOOK", raising=False)
    if value is not None:
        monkeypatch.setenv("FERFLOW_WEBHOOK", value)
    assert not tell(FAILURE, webhook="$FERFLOW_WEBHOOK", logger=logger)
    assert log.messages == [
        "notification failed: publish.webhook is $FERFLOW_WEBHOOK, which holds no address"
    ]


@pytest.mark.parametrize("status", [302, 308, 404, 500])
def test_a_receiver_that_refuses_is_a_line(receiver: Receiver, log, status: int) -> None:
    receiver.status = status
    assert not tell(FAILURE, webhook=receiver.address, logger=logger)
    assert len(log.messages) == 1
    assert log.messages[0].startswith(
        f"notification failed: 127.0.0.1:{receiver.server_port}: HTTP"
    )
    assert str(status) in log.messages[0]


def test_a_receiver_that_keeps_silent_is_a_line(receiver: Receiver, log) -> None:
    receiver.status = 0
    assert not tell(FAILURE, webhook=receiver.address, logger=logger, timeout_seconds=0.2)
    assert "timed out" in log.messages[0]


def test_a_receiver_that_is_not_there_is_a_line_without_secrets(log) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{listener.getsockname()[1]}"
    assert not tell(FAILURE, webhook=f"http://{host}/secret", logger=logger)
    assert log.messages[0].startswith(f"notification failed: {host}: ")
    assert "refused" in log.messages[0]


@pytest.mark.parametrize(
    "address", ["http://[/secret", "http://127.0.0.1:x/secret", "http://ann:secret@a/\n"]
)
def test_an_address_that_is_none_is_a_line_without_secrets(monkeypatch, log, address: str) -> None:
    monkeypatch.setenv("FERFLOW_WEBHOOK", address)
    assert not tell(FAILURE, webhook="$FERFLOW_WEBHOOK", logger=logger)
    assert log.messages[0].startswith("notification failed: ")
    assert "secret" not in log.text
