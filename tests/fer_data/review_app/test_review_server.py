import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import yaml

from fer_data.core.errors import UserError
from fer_data.review_app.review_server import read_review
from flows.cli.main import main
from tests.support.servers.processes import FERFLOW, ROOT, Served
from tests.support.servers.review_app import (
    GRAPH,
    NOBODY,
    RELABELS,
    archive,
    make_workspace,
    running_review_app,
    standing,
)

HASHES = list(archive()[0]["pixel_hash"])

# Python runs a `sitecustomize` first: this one writes down what a process listens on or connects to.
SPY = """
import sys
def hook(event, arguments):
    if event in ("socket.bind", "socket.connect", "socket.getaddrinfo", "socket.sendto"):
        address = arguments[0] if event == "socket.getaddrinfo" else arguments[1]
        with open({log!r}, "a") as file:
            print(event, address[0] if isinstance(address, tuple) else address, file=file)
sys.addaudithook(hook)
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return make_workspace(tmp_path / "workspace")


@pytest.fixture(scope="module")
def review_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One review app for the tests that decide nothing."""
    folder = make_workspace(tmp_path_factory.mktemp("review app") / "workspace")
    with running_review_app(folder, "--annotator", "ann") as review_app:
        yield review_app


def fetch(address: str, **headers: str) -> tuple[str, dict[str, str]]:
    request = urllib.request.Request(address, headers=headers)
    with urllib.request.urlopen(request, timeout=30) as response:
        return response.read().decode("latin-1"), dict(response.headers)


def test_the_api_offers_decides_and_takes_back(workspace: Path) -> None:
    with running_review_app(workspace, "--annotator", "ann") as review_app:
        offered = review_app.call("queue")
        assert [face["rank"] for face in offered["faces"][:30]] == list(range(1, 31))
        assert offered["decided"] == {}
        decided = review_app.call("decide", HASHES[:2], "sad", "ann")
        assert list(decided) == HASHES[:2]
        assert standing(workspace) == dict.fromkeys(HASHES[:2], "sad")
        assert review_app.call("undo", HASHES[:1], "ann") == review_app.call("decided")
        assert list(standing(workspace)) == HASHES[1:2]
        # A user's mistake is one line, and writes nothing.
        assert review_app.call("decide", HASHES[:1], "glad", "ann").startswith("decision on")
        assert "queue has no face" in review_app.call("decide", ["<b>"], "sad", "ann")
        assert list(standing(workspace)) == HASHES[1:2]
        with (workspace / RELABELS).open("a") as file:
            file.write("12,angry,sad,ann,2026-01-31T10:00:00Z,\n")
        assert "line 5: got the pixel hash '12'" in review_app.call("decided")


def test_images_are_served_by_their_hash(review_app: Served) -> None:
    data, headers = fetch(f"{review_app.address}faces/{HASHES[0]}.png")
    assert data.startswith("\x89PNG")
    assert "immutable" in headers["cache-control"]
    with pytest.raises(urllib.error.HTTPError, match="404") as caught:
        fetch(f"{review_app.address}faces/{'0' * 64}.png")
    caught.value.close()


@pytest.mark.parametrize(
    "proxy",
    [  # that do not answer
        {"HTTP_PROXY": "http://192.0.2.1:9", "NO_PROXY": ""},
        {"http_proxy": "http://192.0.2.1:9", "no_proxy": "example.org"},
        {"all_proxy": "socks5://192.0.2.1:9"},
    ],
)
def test_a_review_app_listens_on_loopback_and_connects_to_nobody(
    workspace: Path, tmp_path: Path, proxy: dict[str, str]
) -> None:
    log = tmp_path / "sockets.log"
    (tmp_path / "sitecustomize.py").write_text(SPY.format(log=str(log)))
    paths = f"{tmp_path}:{ROOT}"
    with running_review_app(
        *(workspace, "--annotator", "ann"), in_new_process=True, PYTHONPATH=paths, **proxy
    ) as review_app:
        assert review_app.call("decide", HASHES[:1], "sad", "ann")
        seen = set(log.read_text().splitlines())
    assert {"socket.bind 127.0.0.1", "socket.connect 127.0.0.1"} <= seen
    assert {line.split()[1] for line in seen} == {"127.0.0.1"}


def test_no_other_site_can_decide(review_app: Served) -> None:
    body = f'{{"data": [["{HASHES[0]}"], "sad", "mallory"]}}'.encode()
    verb = f"{review_app.address}gradio_api/run/decide"
    # What a form may send from elsewhere; and a name that somebody lets point at this machine.
    for headers in (
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/json", "Host": "evil.example"},
        {"Content-Type": "application/json", "Origin": "http://evil.example"},
    ):
        request = urllib.request.Request(verb, data=body, headers=headers)
        with pytest.raises(urllib.error.HTTPError, match=r"4\d\d") as caught:
            urllib.request.urlopen(request, timeout=30)
        caught.value.close()
        named = {name.lower() for name in caught.value.headers}
        assert "access-control-allow-origin" not in named
    assert review_app.call("decided") == {}


def test_the_page_may_fetch_from_the_review_app_alone(review_app: Served) -> None:
    page, headers = fetch(review_app.address)
    assert '"annotator": "ann"' in page
    assert "default-src 'none'; connect-src 'self'" in headers["content-security-policy"]
    assert "http" not in page


@pytest.mark.parametrize("name", ["bob", ""])
def test_without_a_flag_git_s_name_decides_or_the_page_asks(
    workspace: Path, tmp_path: Path, name: str
) -> None:
    (tmp_path / "gitconfig").write_text(f"[user]\nname = {name}\n")
    with running_review_app(workspace, GIT_CONFIG_GLOBAL=str(tmp_path / "gitconfig")) as review_app:
        assert f'"annotator": "{name}"' in fetch(review_app.address)[0]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_the_review_app_kindly_in_the_background_too(workspace: Path, number) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # what the shell does for `command &`
    words = ("--annotator", "ann", "--share", "1/1")
    ssh = {"SSH_CONNECTION": "198.51.100.4 50022 192.0.2.7 22", "USER": "ann"}
    try:
        with running_review_app(workspace, *words, in_new_process=True, **ssh) as review_app:
            review_app.call("decide", HASHES[:2], "sad", "ann")
            review_app.call("skip", [HASHES[1], HASHES[2]])
            review_app.process.send_signal(number)
            assert review_app.process.stdout is not None
            way_in, share, _, ended, session, left, then = review_app.process.stdout
            assert review_app.process.wait(30) == 0
    finally:
        signal.signal(signal.SIGINT, before)
    port = review_app.address.strip("/").rpartition(":")[2]
    assert f"`ssh -L {port}:127.0.0.1:{port} ann@192.0.2.7`" in way_in
    assert share.startswith("Share 1/1: 40 of the 40 faces of the queue, ")
    assert ended.startswith("Ended; ")
    assert "2 faces decided (0 kept, 2 relabeled, 0 dropped) in " in session
    assert session.endswith("; 1 skipped.\n")
    assert left == "38 of the 40 faces of share 1/1 wait.\n"
    assert then == (
        "Next: `git commit -m 'Decide on 2 labels' data/relabels.csv`; "
        "when all shares are merged, `dvc repro`.\n"
    )


def refused(workspace: Path, monkeypatch: pytest.MonkeyPatch, *words: str) -> str:
    """What `ferflow review` says before it ends, in one line."""
    monkeypatch.chdir(workspace)
    monkeypatch.setattr(sys, "argv", ["ferflow", "review", *words])
    with pytest.raises(SystemExit) as exit_info:
        main()
    message = str(exit_info.value)
    assert "\n" not in message
    return message


def test_outside_of_a_workspace_one_line_says_so(tmp_path: Path, monkeypatch) -> None:
    assert "not a Ferflow workspace" in refused(tmp_path, monkeypatch)


@pytest.mark.parametrize(
    "missing",
    [
        *("data/review_queue/suspects.csv", "data/review_queue/neighbors.parquet"),
        *("data/faces/manifest.parquet", "data/faces/pixels.npy", "data/split/assignments.parquet"),
    ],
)
def test_a_missing_artifact_is_said_with_the_command(
    workspace: Path, monkeypatch, missing: str
) -> None:
    (workspace / missing).unlink()
    line = f"{missing} is missing: `dvc repro` makes it, `dvc pull` fetches it"
    assert line in refused(workspace, monkeypatch)


def test_a_missing_or_broken_file_of_decisions_is_said(workspace: Path, monkeypatch) -> None:
    (workspace / RELABELS).write_text("a,b\n")
    assert "relabels.csv has the columns a, b; expected" in refused(workspace, monkeypatch)
    (workspace / RELABELS).unlink()
    assert "relabels.csv is missing: `git checkout" in refused(workspace, monkeypatch)


def test_a_queue_of_an_earlier_version_is_to_be_made_anew(workspace: Path, monkeypatch) -> None:
    file = workspace / "data/review_queue/suspects.csv"
    file.write_text(file.read_text().replace(",issue_type", ",sort"))
    assert "lacks issue_type: `dvc repro review_queue` makes" in refused(workspace, monkeypatch)


@pytest.mark.parametrize("change", [{"near_group": "group"}, {"path": "name"}])
def test_groups_of_another_archive_are_to_be_made_anew(
    workspace: Path, monkeypatch, change
) -> None:
    file = workspace / "data/split/assignments.parquet"
    pd.read_parquet(file).rename(columns=change).to_parquet(file)
    assert "is not of this manifest: `dvc repro split`" in refused(workspace, monkeypatch)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"show_sugestion": True}, "'review_app.show_sugestion' is not a setting: misspelt?"),
        ({"show_suggestion": "maybe"}, "'review_app.show_suggestion': got 'maybe'"),
    ],
)
def test_wrong_settings_are_named(tmp_path: Path, monkeypatch, settings, message: str) -> None:
    assert message in refused(make_workspace(tmp_path / "ws", **settings), monkeypatch)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (" ", "--annotator is empty: expected the name of who decides"),
        ("=1+1", "--annotator: the annotator '=1+1' would be a formula"),
        ("a\nb", "--annotator: the annotator holds a line break"),
    ],
)
def test_a_wrong_name_is_refused(workspace: Path, monkeypatch, name: str, message: str) -> None:
    assert message in refused(workspace, monkeypatch, f"--annotator={name}")


def test_a_share_that_there_is_not_or_that_is_nobody_s_is_refused(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = "--share: got '4/3', expected a part of how many"
    assert line in refused(workspace, monkeypatch, "--share=4/3")
    for name, value in NOBODY.items():
        monkeypatch.setenv(name, value)
    assert "--share 1/3: whose?" in refused(workspace, monkeypatch, "--share=1/3")


@pytest.mark.parametrize(
    ("port", "message"),
    [
        (None, "is in use: choose another with `--port`"),
        ("70000", "got the port 70000, expected 1 to 65535"),
    ],
)
def test_a_port_in_use_or_out_of_range_is_said(
    review_app: Served, workspace: Path, port: str | None, message: str
) -> None:
    command = [
        FERFLOW,
        "review",
        "--port",
        port or review_app.address.strip("/").rpartition(":")[2],
    ]
    finished = subprocess.run(
        command,
        cwd=workspace,
        env={**os.environ, **NOBODY},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 1
    assert finished.stdout == ""
    assert finished.stderr.startswith("error: ")
    assert finished.stderr.endswith(f"{message}\n")
    assert finished.stderr.count("\n") == 1


def test_the_temporary_folder_stays_as_it_was(workspace: Path, tmp_path: Path) -> None:
    (tmp_path / "temporary").mkdir()
    with running_review_app(workspace, TMPDIR=str(tmp_path / "temporary")):
        assert list((tmp_path / "temporary").iterdir()) == []


def test_a_graph_without_a_queue_is_said(workspace: Path) -> None:
    (workspace / "dvc.yaml").write_text(yaml.safe_dump({"stages": {**GRAPH, "review_queue": {}}}))
    with pytest.raises(UserError, match=r"no stage 'review_queue' with an output 'suspects\.csv'"):
        read_review(workspace)
