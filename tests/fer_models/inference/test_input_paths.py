import io
import os
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from fer_models.inference.input_paths import is_video, named_files
from fer_models.inference.videos.video import _frames as frames_of
from fer_models.inference.videos.video import _opened as opened


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in (
        "b.JPG",
        "a.png",
        "notes.txt",
        ".hidden.png",
        "sub/c.webp",
        ".x/d.png",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "files"),
    [
        (["notes.txt", "a.png"], ["notes.txt", "a.png"]),
        (["."], ["a.png", "b.JPG", "sub/c.webp"]),
        (["*.png"], ["a.png"]),
        (["**/*.webp", "?.JPG"], ["sub/c.webp", "b.JPG"]),
        (["su*"], ["sub/c.webp"]),
        (["notes.txt"], ["notes.txt"]),
        (["absent.png", "*.tiff", "empty"], ["absent.png", "*.tiff", "empty"]),
        (["-", "a.png"], ["a.png", "sub/c.webp", "a.png"]),
    ],
)
def test_words_name_files(folder: Path, words: list[str], files: list[str]) -> None:
    assert folder.is_dir()
    found = named_files(words, lines=["a.png\n", "\n", "sub\r\n"])
    assert [str(file) for file in found] == files


def test_absolute_patterns_work(folder: Path) -> None:
    assert list(named_files([f"{folder}/*.png"])) == [folder / "a.png"]


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(folder: Path) -> None:
    (folder / "a[1].png").touch()
    assert [str(file) for file in named_files(["a[1].png"])] == ["a[1].png"]


def test_videos_are_known_by_their_names_where_nothing_else_is_known() -> None:
    assert is_video(Path("some/Clip.MP4"))
    assert not is_video(Path("clip.gif"))


def image(form: str) -> bytes:
    Image.new("RGB", (60, 60)).save(stream := io.BytesIO(), form)
    return stream.getvalue()


def video(form: str, codec: str) -> bytes:
    with av.open(stream := io.BytesIO(), "w", format=form) as target:
        images = target.add_stream(codec, rate=25)
        assert isinstance(images, av.VideoStream)
        images.width, images.height, images.pix_fmt = 64, 64, "yuv420p"
        for _ in range(30):
            frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), "rgb24")
            target.mux(images.encode(frame))
        target.mux(images.encode())
    return stream.getvalue()


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "AVIF", "BMP", "TIFF", "GIF"])
def test_an_image_is_known_by_what_it_holds(folder: Path, form: str) -> None:
    (folder / "empty/it").write_bytes(image(form))
    (folder / "empty/it.mp4").write_bytes(image(form))
    files = list(named_files(["empty"]))
    assert [file.name for file in files] == ["it", "it.mp4"]
    assert not any(map(is_video, files))


@pytest.mark.parametrize(
    ("suffix", "form", "codec"),
    [
        (".3gp", "3gp", "mpeg4"),
        (".mts", "mpegts", "mpeg2video"),
        (".ts", "mpegts", "mpeg2video"),
        (".wmv", "asf", "wmv2"),
        (".flv", "flv", "flv"),
        (".vob", "vob", "mpeg2video"),
        (".avi", "avi", "mpeg4"),
        (".mkv", "matroska", "mpeg4"),
        ("", "mp4", "mpeg4"),
        (".jpg", "mov", "mpeg4"),
    ],
)
def test_a_video_is_known_by_what_it_holds(
    folder: Path, suffix: str, form: str, codec: str
) -> None:
    (file := folder / f"empty/it{suffix}").write_bytes(video(form, codec))
    assert is_video(file)
    assert list(named_files([str(folder / "empty")])) == [file]
    # And it can be read.
    with opened(file) as (container, _):
        assert len(list(frames_of(container, file))) == 30


def test_what_is_left_out_of_a_folder_is_counted_by_kind(folder: Path) -> None:
    for name in ("empty/a.TXT", "empty/b.txt", "empty/Makefile", "empty/x.ts", "empty/.DS_Store"):
        (folder / name).write_text("const answer: number = 42;")
    for name in ("c.faces.mp4", "c.faces.csv", "d.faces.mp4"):
        (folder / "empty" / name).touch()
    (folder / "empty/d.heic").touch()
    lines: list[str] = []
    assert [file.name for file in named_files(["empty"], leave_out=lines.append)] == ["d.heic"]
    assert lines == [
        "left out of empty, written by `ferflow predict`: 1 .faces.csv, 2 .faces.mp4",
        "left out of empty, being neither images nor videos: 1 .ts, 2 .txt, 1 without a suffix",
    ]
    assert list(named_files(["sub"], leave_out=lines.append))
    assert len(lines) == 2


def test_a_pipe_is_not_read_to_know_what_it_is(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    assert not is_video(folder / "pipe")  # and waits for nobody
