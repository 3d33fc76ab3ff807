"""The demo app's API: a real process, asked by `gradio_client` and by hand."""

import re
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from fer_models.app.server import MOST_BYTES
from fer_models.inference.bundle import pack
from fer_models.inference.sources import Workspace
from flows.cli.main import main
from tests.support.models.images import encoded, two_faces
from tests.support.models.tiny_dataset import EXPRESSIONS
from tests.support.models.trained_workspace import make_models
from tests.support.servers.demo_app import App, running_app
from tests.support.servers.processes import ROOT

META = {"_type": "gradio.FileData"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with nothing but a bundle and some images."""
    folder = tmp_path_factory.mktemp("app")
    workspace = make_models(tmp_path_factory.mktemp("workspace"), "scratch", "ensemble")
    pack(Workspace(workspace), ["scratch", "ensemble"], folder / "bundle.zip", revision=None)
    two_faces().save(folder / "two.png")
    return folder


@pytest.fixture(scope="module")
def app(folder: Path) -> Iterator[App]:
    with running_app(folder, "--bundle", "bundle.zip") as app:
        yield app


@pytest.fixture(scope="module")
def client(app: App) -> Client:
    return Client(app.address, verbose=False, analytics_enabled=False)


def test_five_lines_of_gradio_client_suffice(app: App, folder: Path, monkeypatch) -> None:
    """Those of docs/guide/using.md."""
    parts = (ROOT / "docs/guide/using.md").read_text().split("```python\n")
    code = next(part.split("```")[0] for part in parts if "gradio_client" in part)
    assert sum(bool(line) for line in code.splitlines()) == 5
    code = code.replace("http://127.0.0.1:7860", app.address).replace("image.jpg", "two.png")
    said: list[tuple] = []
    monkeypatch.chdir(folder)
    exec(code, {"print": lambda *words: said.append(words)})
    assert len(said) == 2
    for box, words in said:
        assert len(box) == 4
        assert set(re.split(r" \d+ %|, or |, ", words)) <= {*EXPRESSIONS, "any other", ""}
    assert said[0][0][0] < 300 < said[1][0][0]


def test_the_parts_of_a_reading_can_be_asked_for(client: Client, folder: Path) -> None:
    listed = client.predict(api_name="/models")
    assert [model["name"] for model in listed] == ["scratch", "ensemble"]
    found = client.predict(handle_file(folder / "two.png"), False, api_name="/find")
    assert found["num_found"] == 2
    faces = [face["pixels"] for face in found["faces"]]
    both = client.predict(faces, "ensemble", api_name="/ask")
    whole = client.predict(handle_file(folder / "two.png"), "ensemble", api_name="/read")
    assert [face["probabilities"] for face in whole["faces"]] == [
        answer["probabilities"] for answer in both
    ]
    np.testing.assert_allclose([sum(one["probabilities"].values()) for one in both], 1, rtol=1e-4)
    seen = client.predict(faces[0], "scratch", api_name="/heat_map")
    assert seen["image"].startswith("data:image/png;base64,")


def bad_images(folder: Path) -> dict[str, bytes]:
    frames = [Image.new("L", (60, 60), gray) for gray in (0, 99, 200)]
    frames[0].save(folder / "moving.gif", save_all=True, append_images=frames[1:])
    huge = encoded(Image.new("1", (9000, 9000)))
    return {
        "is not an image": b"hello, this is a text",
        "is PDF": b"%PDF-1.7\n" + bytes(100),
        "is HEIC": b"\0\0\0\x18ftypheic" + bytes(100),
        "has several frames": (folder / "moving.gif").read_bytes(),
        "is huge": huge,
        "is damaged": encoded(two_faces())[:20000],
        "is empty": b"",
    }


def test_bad_images_are_one_clear_line_each(app: App, client: Client, folder: Path) -> None:
    for words, content in bad_images(folder).items():
        file = folder / "bad"
        file.write_bytes(content)
        with pytest.raises(AppError, match=words) as error:
            client.predict(handle_file(file), "scratch", api_name="/read")
        assert "\n" not in str(error.value)
    assert app.kept() == []


def test_images_are_not_kept(app: App, client: Client, folder: Path) -> None:
    client.predict(handle_file(folder / "two.png"), "scratch", api_name="/read")
    assert app.kept() == []
    assert any(path.name.startswith("ferflow-app-") for path in app.uploads.iterdir())


def test_a_file_that_is_too_large_is_not_taken(app: App) -> None:
    files = {"files": ("large.png", bytes(MOST_BYTES + 1))}
    response = httpx.post(f"{app.address}gradio_api/upload", files=files, timeout=120)
    assert response.status_code == 413
    assert app.kept() == []


def test_a_file_that_comes_in_chunks_is_not_too_large_either(app: App) -> None:
    """No header says how large it will be, and its client leaves in the middle."""
    begun = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n'

    def chunks(number: int) -> Iterator[bytes]:
        yield begun
        for _ in range(number):
            yield bytes(1_000_000)

    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    address = f"{app.address}gradio_api/upload"
    response = httpx.post(address, content=chunks(30), headers=headers, timeout=120)
    assert response.status_code == 413
    assert app.kept() == []
    port = int(app.address.strip("/").rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port)) as connection:
        lines = ["POST /gradio_api/upload HTTP/1.1", f"Host: 127.0.0.1:{port}"]
        lines += [f"Content-Type: {headers['Content-Type']}", "Content-Length: 900000", "", ""]
        connection.sendall("\r\n".join(lines).encode() + begun + bytes(100_000))
        time.sleep(1)
    time.sleep(1)
    assert app.kept() == []


def test_uploads_that_nobody_asks_about_do_not_pile_up(app: App) -> None:
    for number in range(30):
        files = {"files": (f"{number}.png", str(number).encode())}
        response = httpx.post(f"{app.address}gradio_api/upload", files=files, timeout=120)
        assert response.status_code == 200
    assert len(app.kept()) <= 25
    for path in app.kept():
        path.unlink()


@pytest.mark.parametrize(
    ("verb", "arguments", "words"),
    [
        ("find", [], "find: got 0 arguments, expected 2"),
        ("find", [None, False], "find: got None for image"),
        ("find", [{"path": None}, False], "the image was not uploaded here"),
        ("find", [{"path": "\0", "meta": META}, False], "the image was not uploaded here"),
        ("read", [{"path": "a" * 9999, "meta": META}, "scratch"], "the image was not uploaded"),
        (
            "read",
            [{"path": "x", "url": "http://192.0.2.1/", "meta": META}, "scratch"],
            "the image",
        ),
        ("read", [{"path": "http://192.0.2.1/x.png", "meta": META}, "scratch"], "the image was"),
        ("ask", [None, "scratch"], "ask: got None for faces"),
        ("ask", [[None], "scratch"], "ask: got None for faces.0"),
        ("ask", [[], 5], "ask: got 5 for model"),
        ("heat_map", [[], "scratch"], r"heat_map: got \[\] for face"),
        ("models", [1], "models: got 1 arguments, expected 0"),
    ],
)
def test_arguments_of_another_type_are_one_line_and_no_traceback(
    app: App, verb: str, arguments: list, words: str
) -> None:
    answer = app.call(verb, *arguments)
    assert re.match(words, answer)
    assert "\n" not in answer
    assert "Traceback" not in app.errors.read_text()


@pytest.mark.parametrize("meta", [{}, {"meta": {"_type": "gradio.FileData"}}])
def test_files_that_were_not_uploaded_stay_where_they_are(
    app: App, folder: Path, meta: dict
) -> None:
    for path in (folder / "two.png", app.uploads / ".." / "two.png"):
        words = app.call("read", {"path": str(path), **meta}, "scratch")
        assert re.search("was not uploaded", words)
    assert (folder / "two.png").exists()


def test_an_unknown_model_is_one_line(client: Client, folder: Path) -> None:
    with pytest.raises(AppError, match="no model 'vgg': expected one of scratch, ensemble"):
        client.predict(handle_file(folder / "two.png"), "vgg", api_name="/read")


def test_another_name_for_this_machine_is_refused(app: App) -> None:
    response = httpx.get(app.address, headers={"Host": "evil.example"}, timeout=60)
    assert response.status_code == 400
    policy = httpx.get(app.address, timeout=60).headers["Content-Security-Policy"]
    assert "default-src 'none'; connect-src 'self'" in policy


def test_ctrl_c_ends_it_and_leaves_nothing_however_often_it_is_pressed(
    folder: Path, tmp_path: Path
) -> None:
    # In a folder of its own, since the app that the other tests ask has its uploads in theirs.
    bundle = str(folder / "bundle.zip")
    with running_app(tmp_path, "--bundle", bundle, in_new_process=True) as app:
        assert app.process.stdout is not None
        assert list(app.uploads.glob("ferflow-app-*"))
        app.process.send_signal(signal.SIGINT)
        lines = [app.process.stdout.readline() for _ in range(2)]
        assert lines == ["\n", "Ended; no image was kept.\n"]
        while app.process.poll() is None:
            app.process.send_signal(signal.SIGINT)
        assert app.process.wait(60) == 0
        assert not list(app.uploads.glob("ferflow-app-*"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--bundle", "absent.zip"], "no bundle at absent.zip: `ferflow bundle` makes one"),
        (["--bundle", "two.png"], "two.png is no bundle"),
        ([], "no dvc.yaml in"),
    ],
)
def test_a_mistake_is_one_line(folder: Path, monkeypatch, words: list[str], message: str) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["ferflow", "app", *words])
    with pytest.raises(SystemExit, match=f"^error: {re.escape(message)}") as error:
        main()
    assert "\n" not in str(error.value)
