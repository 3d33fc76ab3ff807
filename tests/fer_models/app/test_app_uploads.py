"""What is uploaded to the demo app, well and badly."""

import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from fer_models.inference.bundle import pack
from fer_models.inference.sources import Workspace
from tests.support.models.trained_workspace import make_models
from tests.support.servers.demo_app import App, running_app

FORM = "multipart/form-data; boundary=x"
NAMED = b'name="files"; filename="a.png"'
END = b"--x--\r\n"
LONG = b'name="files"; filename="' + b"a" * 5000 + b'"'


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("uploads")
    models = make_models(folder / "workspace", "scratch")
    pack(Workspace(models), ["scratch"], folder / "bundle.zip", revision=None)
    return folder / "bundle.zip"


@pytest.fixture(scope="module")
def app(bundle: Path) -> Iterator[App]:
    with running_app(bundle.parent, "--bundle", bundle.name) as app:
        yield app


def part(disposition: bytes) -> bytes:
    return b"--x\r\nContent-Disposition: form-data; " + disposition + b"\r\n\r\nface\r\n"


def upload(app: App, body: bytes, kind: str = FORM, query: str = "") -> httpx.Response:
    address = f"{app.address}gradio_api/upload{query}"
    return httpx.post(address, content=body, headers={"Content-Type": kind}, timeout=120)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (part(b'name="files"') + END, FORM),
        (part(NAMED) + part(b'name="files"') + END, FORM),
        (part(b'name="others"; filename="a.png"') + END, FORM),
        (part(b'filename="a.png"') + END, FORM),
        (part(b'name="files"; filename=".."') + END, FORM),
        (part(LONG) + END, FORM),
        (b"", FORM),
        (END, FORM),
        (part(NAMED), FORM),
        (part(NAMED)[:-6], FORM),
        (b"hello", FORM),
        (part(NAMED) + END, "multipart/form-data"),
        (part(NAMED) + END, "multipart/form-data; boundary="),
        (part(NAMED) + END, f"multipart/form-data; boundary={'x' * 300}"),
        (part(NAMED) + END, "text/plain"),
    ],
)
@pytest.mark.parametrize("query", ["", "?upload_id=1"])
def test_a_bad_upload_is_one_line_that_leaves_nothing(
    app: App, body: bytes, kind: str, query: str
) -> None:
    before = app.errors.read_text()
    response = upload(app, body, kind, query)
    assert 400 <= response.status_code < 500
    assert response.text
    assert "\n" not in response.text.rstrip("\n")
    assert app.kept() == []
    assert app.errors.read_text() == before


@pytest.mark.parametrize("name", [b"a\0b", b"\0", b"", b"/", b"../../b.png", b"\xff\xfe"])
def test_a_file_of_an_odd_name_stays_in_the_folder_of_uploads(app: App, name: bytes) -> None:
    response = upload(app, part(NAMED) + part(b'name="files"; filename="' + name + b'"') + END)
    assert response.status_code == 200
    assert {Path(path).resolve() for path in response.json()} == {
        path.resolve() for path in app.kept()
    }
    assert len(app.kept()) == 2
    for path in app.kept():
        path.unlink()


def test_nothing_is_left_behind_by_the_one_who_serves(bundle: Path, tmp_path: Path) -> None:
    with running_app(tmp_path, "--bundle", str(bundle)) as app:
        app.process.send_signal(signal.SIGINT)
        assert app.process.wait(60) == 0
        assert list(app.uploads.iterdir()) == []
