import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import fsspec
import pytest
from fsspec.registry import known_implementations

from fer_data.core.errors import UserError
from flows.publishing.storage import Destination


@pytest.fixture(params=["memory", "file", "path"])
def destination(request, tmp_path: Path) -> Iterator[Destination]:
    places = {"memory": "memory://site/", "file": f"{tmp_path.as_uri()}/a b", "path": "a b"}
    yield Destination(places[request.param].replace("%20", " "), workspace=tmp_path)
    memory = fsspec.filesystem("memory")
    memory.store.clear()
    memory.pseudo_dirs[:] = [""]


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def test_what_is_put_can_be_read(destination: Destination) -> None:
    assert destination.read("runs/one/index.html") is None
    destination.put("runs/one/index.html", b"one")
    assert destination.read("runs/one/index.html") == b"one"
    destination.put("runs/one/index.html", b"two")
    assert destination.read("runs/one/index.html") == b"two"


def test_a_file_is_replaced_without_a_trace_beside_it(destination: Destination) -> None:
    for content in (b"old", b"new"):
        destination.replace("latest/index.html", content)
        assert destination.read("latest/index.html") == content
    assert destination.read("latest/.unfinished-index.html") is None


def test_a_folder_is_listed_measured_and_removed(destination: Destination) -> None:
    assert destination.folders("runs") == []
    assert destination.sizes("runs/one") == {}
    for name in ("two/index.html", "one/index.html", "one/data/index.html"):
        destination.put(f"runs/{name}", b"page")
    destination.put("runs/notes.txt", b"")
    assert destination.folders("runs") == ["one", "two"]
    assert destination.sizes("runs/one") == {
        "runs/one/index.html": 4,
        "runs/one/data/index.html": 4,
    }
    age = datetime.now(UTC) - (destination.written("runs/one/index.html") or datetime.now(UTC))
    assert timedelta() <= age < timedelta(hours=1)
    destination.remove("runs/one")
    assert destination.folders("runs") == ["two"]


def test_the_url_can_be_opened(tmp_path: Path) -> None:
    destination = Destination("here and there", workspace=tmp_path)
    assert destination.url("a") == f"{tmp_path.as_uri()}/here%20and%20there/a"


def test_a_copy_with_other_bytes_is_noticed(destination: Destination, monkeypatch) -> None:
    destination.put("index.html", b"old")
    monkeypatch.setattr(destination._files, "put_file", lambda *_: None)
    with pytest.raises(UserError, match=r"index\.html does not hold what was sent there"):
        destination.put("index.html", b"new")


def test_a_killed_replacement_leaves_the_old_file(destination: Destination, monkeypatch) -> None:
    destination.replace("latest/index.html", b"old")

    def killed(*_: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(destination._files, "mv", killed)
        with pytest.raises(KeyboardInterrupt):
            destination.replace("latest/index.html", b"new")
    assert destination.read("latest/index.html") == b"old"
    destination.replace("latest/index.html", b"newer")
    assert destination.read("latest/index.html") == b"newer"


@pytest.mark.parametrize("place", ["://", "://x", "file://", "file://relative/folder", "s3://"])
def test_a_url_that_names_no_folder_is_refused(place: str) -> None:
    with pytest.raises(UserError, match="names no folder: expected a path, or a URL"):
        Destination(place)


def test_an_unknown_protocol_is_one_line() -> None:
    with pytest.raises(UserError, match=r"foo://bucket cannot be published to: .*not known: foo"):
        Destination("foo://bucket")


def test_a_protocol_without_its_package_says_what_to_install(monkeypatch) -> None:
    missing = {"class": "absent_package.Files", "err": "Install s3fs to access S3"}
    monkeypatch.setitem(known_implementations, "absent", missing)
    with pytest.raises(UserError, match=r"absent://b: Install s3fs to access S3: `pip install"):
        Destination("absent://b")


def test_a_server_that_does_not_answer_is_one_line_without_the_password(closed_port: int) -> None:
    with pytest.raises(UserError, match="cannot be published to: ConnectionRefused") as raised:
        Destination(f"ftp://ann:secret@127.0.0.1:{closed_port}/site")
    assert f"ftp://127.0.0.1:{closed_port}/site" in str(raised.value)
    assert "secret" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_place_that_is_no_folder_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    destination = Destination("file", workspace=tmp_path)
    with pytest.raises(UserError, match=r"file cannot be published to: .*Error"):
        destination.put("runs/one/index.html", b"")


@pytest.mark.parametrize("form", ["../pub", "{}/../pub", "file://{}/../pub"])
def test_the_address_has_no_detours(tmp_path: Path, form: str) -> None:
    workspace = tmp_path / "ws"
    workspace.mkdir()
    destination = Destination(form.format(workspace), workspace=workspace)
    assert destination.address == f"{tmp_path.as_uri()}/pub"
    destination.put("index.html", b"page")
    assert (tmp_path / "pub/index.html").read_bytes() == b"page"


def test_a_detour_starts_where_a_link_leads(tmp_path: Path) -> None:
    """As the system takes it: `link/..` is the folder above the one that the link leads to."""
    (tmp_path / "there/ws").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "there/ws")
    destination = Destination("../pub", workspace=tmp_path / "link")
    assert destination.address == f"{tmp_path.as_uri()}/there/pub"
    assert Destination("link").address.endswith("/link")
