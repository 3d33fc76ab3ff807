from pathlib import Path

import av
import numpy as np
import pytest

from tests.fer_models.predicting import Typed, rows_of, typed_in, write_clip
from tests.support.models.trained_workspace import make_models

MP4 = b"\0\0\0\x20ftypisom" + bytes(100)
"""How a video of anybody begins."""


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_models(tmp_path_factory.mktemp("videos") / "workspace", "scratch")
    write_clip(folder / "clip.mp4", num_frames=24)
    return folder


@pytest.fixture
def run(workspace: Path, monkeypatch, capsys) -> Typed:
    """Types the verb in the workspace."""
    return typed_in(workspace, monkeypatch, capsys)


def test_a_video_is_annotated_and_tabled(run, workspace: Path, tmp_path: Path) -> None:
    out, err, exit_message = run("clip.mp4", "--model", "scratch", "--output", str(tmp_path))
    assert (out, exit_message) == ("", None)
    assert "clip.mp4: 24 frames -> " in err
    rows = rows_of((tmp_path / "clip.faces.csv").read_text())
    assert {row["face"] for row in rows} == {"1"}
    assert len(rows) >= 22
    assert float(rows[1]["seconds"]) - float(rows[0]["seconds"]) == pytest.approx(0.04, abs=1e-3)
    moved = int(rows[-1]["left"]) - int(rows[0]["left"])
    assert moved == pytest.approx(2 * (int(rows[-1]["frame"]) - int(rows[0]["frame"])), abs=12)
    with av.open(str(tmp_path / "clip.faces.mp4")) as video:
        frames = [frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]
    assert [frame.shape for frame in frames] == [(240, 320, 3)] * 24
    with av.open(str(workspace / "clip.mp4")) as video:
        plain = next(video.decode(video=0)).to_ndarray(format="rgb24")[:240, :320]
    yellow = (frames[0][..., 0] > 180) & (frames[0][..., 2] < 110)
    assert yellow.sum() > 200
    assert not ((plain[..., 0] > 180) & (plain[..., 2] < 110)).any()


def test_bad_videos_are_one_line_and_leave_nothing(run, workspace: Path, tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    whole = (workspace / "clip.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    with av.open(str(tmp_path / "sound.mp4"), "w") as target:
        stream = target.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate = 44100
        target.mux(stream.encode(frame))
        target.mux(stream.encode())
    (tmp_path / "out").mkdir()
    words = [str(tmp_path / name) for name in ("text.mp4", "cut.mp4", "sound.mp4", "absent.mp4")]
    _, err, exit_message = run(*words, "--model", "scratch", "--output", str(tmp_path / "out"))
    lines = err.splitlines()
    assert len(lines) == 4
    assert "text.mp4 is no video that can be read" in lines[0]
    assert "cut.mp4 is no video that can be read" in lines[1]
    assert "sound.mp4 has no image, only sound" in lines[2]
    assert "absent.mp4: No such file or directory" in lines[3]
    assert exit_message == "error: 4 of the files could not be read"
    assert list((tmp_path / "out").iterdir()) == []


def test_two_videos_of_one_name_do_not_overwrite_each_other(run, tmp_path: Path) -> None:
    for name in ("a", "b", "out"):
        (tmp_path / name).mkdir()
    write_clip(tmp_path / "a/clip.mp4", num_frames=2)
    write_clip(tmp_path / "b/clip.avi", num_frames=3)
    words = [str(tmp_path / name) for name in ("a/clip.mp4", "b/clip.avi", "a/../a/clip.mp4")]
    _, err, exit_message = run(*words, "--model", "scratch", "--output", str(tmp_path / "out"))
    lines = err.splitlines()
    assert len(lines) == 2
    assert (
        f"{words[1]} is left out: {tmp_path}/out/clip.faces.mp4 would overwrite"
        in lines[0] + lines[1]
    )
    assert exit_message == "error: 1 of the files could not be read"
    with av.open(str(tmp_path / "out/clip.faces.mp4")) as video:
        assert len(list(video.decode(video=0))) == 2


def test_a_video_that_was_named_is_not_overwritten(run, tmp_path: Path) -> None:
    for name in ("clip.mp4", "clip.faces.mp4"):
        write_clip(tmp_path / name, num_frames=2)
    before = (tmp_path / "clip.faces.mp4").read_bytes()
    words = [str(tmp_path / name) for name in ("clip.mp4", "clip.faces.mp4")]
    _, err, exit_message = run(*words, "--model", "scratch")
    assert "clip.mp4 is left out: " in err
    assert exit_message == "error: 1 of the files could not be read"
    assert (tmp_path / "clip.faces.mp4").read_bytes() == before
    assert (tmp_path / "clip.faces.faces.mp4").exists()


def test_only_what_it_wrote_before_is_replaced(run, tmp_path: Path) -> None:
    write_clip(tmp_path / "clip.mp4", num_frames=2)
    video, table = tmp_path / "clip.faces.mp4", tmp_path / "clip.faces.csv"
    words = (str(tmp_path / "clip.mp4"), "--model", "scratch")
    for file, content in ((video, b"a talk"), (table, b"frame,notes\n"), (video, MP4)):
        file.write_bytes(content)
        _, err, exit_message = run(*words)
        refusal = f"{file} is there already, and is not what `ferflow predict` writes: "
        assert err.startswith(refusal)
        assert err.count("\n") == 1
        assert exit_message == "error: 1 of the files could not be read"
        assert file.read_bytes() == content
        file.unlink()
    for _ in range(2):
        _, err, exit_message = run(*words)
        assert (err.count(" -> "), exit_message) == (1, None)
        video.write_bytes(MP4)


@pytest.mark.parametrize("size", [(1, 240), (240, 1), (2, 2), (15, 64)])
def test_a_video_too_narrow_for_a_face_is_one_line(run, tmp_path: Path, size) -> None:
    with av.open(str(tmp_path / "narrow.avi"), "w") as target:
        stream = target.add_stream("rawvideo", rate=25)
        stream.width, stream.height, stream.pix_fmt = *size, "bgr24"
        frame = av.VideoFrame.from_ndarray(np.zeros((size[1], size[0], 3), np.uint8), "rgb24")
        target.mux(stream.encode(frame))
        target.mux(stream.encode())
    words = (str(tmp_path / "narrow.avi"), str(tmp_path / "absent.mp4"))
    _, err, exit_message = run(*words, "--model", "scratch")
    assert f"narrow.avi is {size[0]}x{size[1]} pixels: expected sides of 16 or more" in err
    assert "absent.mp4: No such file" in err
    assert exit_message == "error: 2 of the files could not be read"
    assert [file.name for file in tmp_path.iterdir()] == ["narrow.avi"]
