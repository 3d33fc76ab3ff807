"""What the tests of `ferflow predict` share: clips, the command typed in a folder, and its rows."""

import csv
import io
import sys
from collections.abc import Callable
from pathlib import Path

import av
import pytest

from flows.cli.main import main
from tests.support.models.scenes import scene

Typed = Callable[..., tuple[str, str, str | None]]
"""Takes the words after `ferflow predict`; gives its output, its errors and its exit."""


def write_clip(file: Path, *, num_frames: int, size: tuple[int, int] = (321, 241)) -> None:
    """Somebody who goes from left to right, in frames of odd sides."""
    with av.open(str(file), "w") as target:
        stream = target.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for number in range(num_frames):
            frame = av.VideoFrame.from_ndarray(
                scene((40 + 2 * number, 40, 130), size=size), "rgb24"
            )
            target.mux(stream.encode(frame))
        target.mux(stream.encode())


def typed_in(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Typed:
    """Lets a test type the command in a folder."""
    monkeypatch.chdir(folder)

    def call(*words: str) -> tuple[str, str, str | None]:
        monkeypatch.setattr(sys, "argv", ["ferflow", "predict", *words])
        exit_message = None
        try:
            main()
        except SystemExit as stop:
            exit_message = str(stop.code)
        out, err = capsys.readouterr()
        return out, err, exit_message

    return call


def rows_of(text: str) -> list[dict[str, str]]:
    """The rows of a CSV table."""
    return list(csv.DictReader(io.StringIO(text)))
