"""Restricts Prefect's API to those who can read a random string in `.prefect/`.

Prefect's API runs commands for whoever may create a flow run, and a web page can reach loopback. So each
server here asks for the string, and Ferflow's processes find it by themselves: those that `make serve`
starts in their environment, those that a person types by the profile that `prefect.toml` leads to.
"""

import contextlib
import os
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from prefect.context import refresh_global_settings_context

from fer_data.core.errors import UserError
from fer_data.web.loopback import LOOPBACK, exempt_loopback

HOME = Path(".prefect")
AUTH_FILE = HOME / "auth_string"
PROFILE_FILE = HOME / "ferflow.toml"
"""Beside Prefect's own `profiles.toml`, which stays the user's."""
SECRETS = ("PREFECT_API_AUTH_STRING", "PREFECT_SERVER_API_AUTH_STRING")
API_URL = "PREFECT_API_URL"
_HEALTH_SECONDS = 10.0


def auth_string(workspace: Path) -> str:
    """Reads the string that the workspace's servers require, or draws one at random.

    Raises:
        UserError: It cannot be read or written, or the file holds none.
    """
    file = workspace / AUTH_FILE
    try:
        file.parent.mkdir(mode=0o700, exist_ok=True)
        file.parent.chmod(0o700)
        if not file.exists():
            _create(file, f"ferflow:{secrets.token_urlsafe(32)}\n")
        file.chmod(0o600)
        text = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeError) as error:
        raise UserError(f"{file} cannot be used: {error}") from None
    if not text.startswith("ferflow:") or len(text) < 40 or not text.isascii():
        raise UserError(f"{file} holds no auth string: delete it, and a new one is drawn")
    return text


def protection(workspace: Path, *, origins: str) -> dict[str, str]:
    """The variables that let a Prefect server refuse other users, and its clients in.

    Args:
        workspace: The folder whose `.prefect/` holds the string.
        origins: Whose pages may read the API's answers, with commas between them.
    """
    return {
        **dict.fromkeys(SECRETS, auth_string(workspace)),
        "PREFECT_SERVER_CSRF_PROTECTION_ENABLED": "true",
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": origins,
    }


@contextlib.contextmanager
def announced(workspace: Path, *, url: str) -> Iterator[None]:
    """Announces the server to commands that are typed in the workspace, as long as it runs."""
    _write_profile(workspace, url=url)
    try:
        yield
    finally:
        if _announced_url(workspace) == url:  # and not another server's by now
            _write_profile(workspace, url=None)


def join(workspace: Path) -> None:
    """Connects this process to the server of the workspace, or to a temporary protected one.

    A server that the user names by `PREFECT_API_URL` is used instead; if that is elsewhere, it is not
    told the string.
    """
    exempt_loopback()
    given = os.environ.get(API_URL)
    if given and urlsplit(given).hostname not in LOOPBACK:
        os.environ.setdefault(SECRETS[0], "")
    else:
        # A temporary server shows no page: no origin is its own.
        for name, value in protection(workspace, origins="http://127.0.0.1").items():
            os.environ.setdefault(name, value)
        os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_ENABLED", "true")  # it is protected now
        os.environ[API_URL] = given or running_url(workspace) or ""
    refresh_global_settings_context()


def running_url(workspace: Path) -> str | None:
    """The workspace's server, if it answers: one that was killed leaves its announcement."""
    url = _announced_url(workspace)
    if url is None:
        return None
    try:
        answer = httpx.get(f"{url}/health", timeout=_HEALTH_SECONDS, trust_env=False)
    except httpx.HTTPError:
        return None
    return url if answer.is_success else None


def _announced_url(workspace: Path) -> str | None:
    with contextlib.suppress(OSError):
        for line in (workspace / PROFILE_FILE).read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(" = ")
            if name == API_URL:
                return value.strip('"')
    return None


def _write_profile(workspace: Path, *, url: str | None) -> None:
    variables = dict.fromkeys(SECRETS, auth_string(workspace)) | ({API_URL: url} if url else {})
    lines = ['active = "ferflow"', "", "[profiles.ferflow]"]
    lines += [f'{name} = "{value}"' for name, value in variables.items()]
    file = workspace / PROFILE_FILE
    beside = _written(file, "\n".join([*lines, ""]))
    beside.replace(file)


def _create(file: Path, text: str) -> None:
    """Writes a file that is not there yet, whole or not at all; a second writer takes the first's."""
    beside = _written(file, text)
    try:
        with contextlib.suppress(FileExistsError):
            file.hardlink_to(beside)
    finally:
        beside.unlink()


def _written(file: Path, text: str) -> Path:
    """A file beside another, that only its owner may read."""
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.", suffix=".unfinished")
    with os.fdopen(handle, "w", encoding="utf-8") as beside:
        beside.write(text)
        beside.flush()
        os.fsync(beside.fileno())
    return Path(name)
