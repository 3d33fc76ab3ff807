"""What the review app's API says to arguments of another type."""

import json
import re
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.support.servers.review_app import archive, make_workspace, running_review_app


def asked(address: str, data: Any) -> tuple[int, str]:
    """The status and the text that a request gets, by JSON or, without `data`, by GET."""
    body = None if data is None else json.dumps(data).encode()
    request = urllib.request.Request(address, body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


HASHES = list(archive()[0]["pixel_hash"])


def test_arguments_of_another_type_are_one_line_and_no_traceback(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    calls = [
        ("decide", [], "decide: got 0 arguments, expected 3"),
        ("queue", [1], "queue: got 1 arguments, expected 0"),
        (
            "decide",
            [None, "sad", "ann"],
            "decide: got None for faces: Input should be a valid list",
        ),
        ("decide", [[1], "sad", "ann"], "decide: got 1 for faces.0"),
        ("decide", [HASHES[:1], "sad", None], "decide: got None for annotator"),
        ("decide", [HASHES[:1], "sad", "a" * 201], "the name is too long: expected at most 200"),
        ("decide", ["\ud800", "sad", "ann"], r"decide: got '\\ud800' for faces"),
        ("decide", [[["a"]], {}, []], r"decide: got \['a'\] for faces.0"),
        ("decide", [HASHES[:1], "\ud800", "ann"], r".*got the decision '\\ud800'"),
        ("undo", [5, "ann"], "undo: got 5 for faces"),
    ]
    with running_review_app(
        make_workspace(tmp_path / "workspace"), "--annotator", "ann"
    ) as review_app:
        for verb, arguments, words in calls:
            answer = review_app.call(verb, *arguments)
            assert re.match(words, answer)
            assert "\n" not in answer
        assert review_app.call("decided") == {}
        for path, data, expected in (
            ("run/nonesuch", {"data": []}, (404, "This server has no verb at ")),
            ("call/nonesuch", {"data": []}, (404, "This server has no verb at ")),
            ("call/v2/decided", {}, (404, "This server takes nothing at ")),
            ("run/decided", {"data": {"a": "\ud800"}}, (422, "body.data: ")),
            ("queue/data?session_hash=nonesuch", None, (200, "data: ")),  # streams
            ("call/decided/nonesuch", None, (200, "event: error")),
        ):
            status, text = asked(f"{review_app.address}gradio_api/{path}", data)
            assert status == expected[0]
            assert text.startswith(expected[1])
    assert "Traceback" not in capfd.readouterr().err


def test_an_error_of_the_system_is_one_line_and_no_traceback(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    workspace = make_workspace(tmp_path / "workspace")
    with running_review_app(workspace, "--annotator", "ann") as review_app:
        (workspace / "data/relabels.csv").rename(workspace / "moved.csv")
        (workspace / "data/relabels.csv").mkdir()
        answer = review_app.call("decide", HASHES[:1], "sad", "ann")
        assert re.match(r"Is a directory: .*relabels\.csv: expected a file", answer)
    assert "Traceback" not in capfd.readouterr().err
