"""The string that Prefect's API asks for: where it lies, who reads it, and who is told of it."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fer_data.core.errors import UserError
from flows.pipeline.api_access import AUTH_FILE, PROFILE_FILE, announced, auth_string
from tests.support.servers.prefect import (
    ROOT,
    strange_environment,
)


def mode(file: Path) -> int:
    return file.stat().st_mode & 0o777


def test_the_string_is_drawn_once_and_read_by_its_owner_alone(tmp_path: Path) -> None:
    with ThreadPoolExecutor() as threads:  # two servers that start at once agree
        drawn = set(threads.map(auth_string, [tmp_path] * 8))
    assert len(drawn) == 1
    assert auth_string(tmp_path) in drawn
    assert mode(tmp_path / AUTH_FILE) == 0o600
    assert mode(tmp_path / ".prefect") == 0o700
    assert [file.name for file in (tmp_path / ".prefect").iterdir()] == [AUTH_FILE.name]
    assert auth_string(make_folder(tmp_path / "other")) not in drawn


def make_folder(folder: Path) -> Path:
    folder.mkdir()
    return folder


def test_what_others_may_read_is_closed(tmp_path: Path) -> None:
    drawn = auth_string(tmp_path)
    (tmp_path / AUTH_FILE).chmod(0o644)
    (tmp_path / ".prefect").chmod(0o755)
    assert auth_string(tmp_path) == drawn
    assert (mode(tmp_path / AUTH_FILE), mode(tmp_path / ".prefect")) == (0o600, 0o700)


@pytest.mark.parametrize("text", ["", "\n", "ferflow:", 'ferflow:"\nPREFECT_API_URL = "x'])
def test_a_file_that_holds_no_string_is_refused(tmp_path: Path, text: str) -> None:
    auth_string(tmp_path)
    (tmp_path / AUTH_FILE).write_text(text)
    with pytest.raises(UserError, match="holds no auth string: delete it"):
        auth_string(tmp_path)


def test_a_server_is_announced_as_long_as_it_runs(tmp_path: Path) -> None:
    file = tmp_path / PROFILE_FILE
    with announced(tmp_path, url="http://127.0.0.1:1/api"):
        assert 'PREFECT_API_URL = "http://127.0.0.1:1/api"' in file.read_text()
        with announced(tmp_path, url="http://127.0.0.1:2/api"):
            assert 'PREFECT_API_URL = "http://127.0.0.1:2/api"' in file.read_text()
    assert "PREFECT_API_URL" not in file.read_text()
    assert mode(file) == 0o600


FOREIGN = "https://prefect.example.org/api"


def joined(workspace: Path, **variables: str) -> list[str | None]:
    """The address and the string that a command typed in a workspace would use."""
    code = (
        "import json; from pathlib import Path; "
        "from flows.pipeline.api_access import join; join(Path()); "
        "from prefect.settings import get_current_settings as now; api = now().api; "
        "print(json.dumps([api.url, api.auth_string.get_secret_value()]))"
    )
    found = subprocess.run(
        [sys.executable, "-c", code],
        cwd=workspace,
        env=strange_environment() | {"PYTHONPATH": str(ROOT)} | variables,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(found.stdout)


def test_a_server_elsewhere_is_not_told_the_string(tmp_path: Path) -> None:
    auth_string(tmp_path)
    (tmp_path / "prefect.toml").write_text((ROOT / "prefect.toml").read_text())
    with announced(tmp_path, url="http://127.0.0.1:9/api"):
        assert joined(tmp_path, PREFECT_API_URL=FOREIGN) == [FOREIGN, ""]
        theirs = {"PREFECT_API_URL": FOREIGN, "PREFECT_API_AUTH_STRING": "me:theirs"}
        assert joined(tmp_path, **theirs) == [FOREIGN, "me:theirs"]


def test_an_announcement_that_a_killed_server_left_is_passed_over(tmp_path: Path) -> None:
    with announced(tmp_path, url="http://127.0.0.1:9/api"):
        assert joined(tmp_path) == ["", auth_string(tmp_path)]


@pytest.mark.parametrize("has_joined", [False, True])
def test_only_who_has_the_string_may_start_a_temporary_server(
    tmp_path: Path, *, has_joined: bool
) -> None:
    """What is typed in a folder that was never served has none: its server would ask for none."""
    (tmp_path / "prefect.toml").write_text((ROOT / "prefect.toml").read_text())
    join = "from pathlib import Path; from flows.pipeline.api_access import join; join(Path()); "
    code = (
        f"{join if has_joined else ''}from prefect.settings import get_current_settings as now; "
        "server = now().server; print(server.ephemeral.enabled, server.api.auth_string is not None)"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=strange_environment() | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert printed.split() == [str(has_joined)] * 2
