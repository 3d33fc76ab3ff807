"""What the desk's API says to arguments of another type."""

import re
from pathlib import Path

import pytest

from tests.fer_data.desks import archive, make_workspace, running_desk

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
        ("undo", [5, "ann"], "undo: got 5 for faces"),
    ]
    with running_desk(make_workspace(tmp_path / "workspace"), "--annotator", "ann") as desk:
        for verb, arguments, words in calls:
            answer = desk.call(verb, *arguments)
            assert re.match(words, answer)
            assert "\n" not in answer
        assert desk.call("decided") == {}
    assert "Traceback" not in capfd.readouterr().err


def test_an_error_of_the_system_is_one_line_and_no_traceback(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    workspace = make_workspace(tmp_path / "workspace")
    with running_desk(workspace, "--annotator", "ann") as desk:
        (workspace / "data/relabels.csv").rename(workspace / "moved.csv")
        (workspace / "data/relabels.csv").mkdir()
        answer = desk.call("decide", HASHES[:1], "sad", "ann")
        assert re.match(r"Is a directory: .*relabels\.csv: expected a file", answer)
    assert "Traceback" not in capfd.readouterr().err
