"""Runs git and DVC in a workspace, with the environment that stages run in."""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from fer_data.core.errors import UserError
from fer_data.core.git_environment import without_repository
from flows.workspace.redaction import without_passwords
from flows.workspace.subprocesses import captured

PATIENCE_SECONDS = 6 * 3600.0
PAUSE_SECONDS = 5.0
_BUSY = re.compile(r"unable to acquire lock|is being blocked by|rwlock-file", re.IGNORECASE)
_KEYS = ("PREFECT_API_AUTH_STRING", "PREFECT_SERVER_API_AUTH_STRING", "PREFECT_API_KEY")
"""What no stage needs, and what is not to reach another machine."""
OWN_SETTINGS = (
    *("-c", "user.name=Ferflow", "-c", "user.email=ferflow@localhost"),
    *("-c", "commit.gpgSign=false", "-c", "core.hooksPath=/dev/null"),
    *("-c", "core.excludesFile=/dev/null", "-c", "init.defaultRefFormat=files"),
)
"""Of git in a workspace that Ferflow makes: a person's own neither sign, check nor hide its commit."""


def environment() -> dict[str, str]:
    """The environment that stages, git and DVC run in.

    This interpreter comes first, there is no telemetry and no key to Prefect's API, and the folder alone
    says which repository is meant.
    """
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return {
        **{name: value for name, value in without_repository().items() if name not in _KEYS},
        "PATH": path,
        "DO_NOT_TRACK": "1",
        "DVC_NO_ANALYTICS": "1",
    }


def commit(folder: Path, message: str) -> None:
    """Commits all that git does not ignore, in the name of a made-up person."""
    git(*OWN_SETTINGS, "add", "--all", cwd=folder)
    words = ("--quiet", "--allow-empty", "--message", message)
    git(*OWN_SETTINGS, "commit", *words, cwd=folder)


def git(*arguments: str, cwd: Path) -> str:
    """Runs a git command, and returns what it prints.

    Raises:
        UserError: It failed; the message says in what words, on one line.
    """
    command = ["git", *arguments]
    finished = subprocess.run(
        command, cwd=cwd, env=environment(), capture_output=True, text=True, check=False
    )
    if finished.returncode:
        words = without_passwords(" ".join(finished.stderr.split()))
        verb = arguments[len(OWN_SETTINGS) if arguments[0] == "-c" else 0]
        raise UserError(f"git {verb} failed in {cwd}: {words}")
    return finished.stdout


def require_git(folder: Path, *, needs: str) -> None:
    """Refuses a folder outside of git before anything is done in it: DVC would refuse it afterwards.

    Args:
        folder: The folder.
        needs: What git is for, as in `DVC needs to version data`.

    Raises:
        UserError: No git repository holds it.
    """
    try:
        git("rev-parse", "--git-dir", cwd=folder)
    except UserError:
        raise UserError(
            f"{folder.absolute()} is in no git repository, which {needs}: `git init`, then run this "
            "again"
        ) from None


def revision(folder: Path) -> str | None:
    """The commit that a folder is at, or None outside of git and before the first commit."""
    try:
        return git("rev-parse", "HEAD", cwd=folder).strip()
    except UserError:
        return None


def check_dvc() -> None:
    """Checks that DVC is installed, before the work that ends with it.

    Raises:
        UserError: It is not.
    """
    if shutil.which("dvc", path=environment()["PATH"]) is None:
        raise UserError("dvc is not installed: pip install 'ferflow[pipeline]'")


def dvc(
    *arguments: str,
    cwd: Path,
    timeout_seconds: float = PATIENCE_SECONDS,
    pause_seconds: float = PAUSE_SECONDS,
) -> str:
    """Runs a DVC command when no other, such as a push, holds the folder; returns what it prints.

    Args:
        *arguments: The verb and what it takes.
        cwd: The folder.
        timeout_seconds: After which it is ended, with its children.
        pause_seconds: Between tries, where another process has one of the files.

    Raises:
        UserError: It is not installed, failed, or took too long; the message says so on one line.
    """
    check_dvc()
    deadline = time.monotonic() + timeout_seconds
    # By the flag, which goes before the verb, DVC waits for its lock of the folder, but not of files.
    command = ["dvc", "--wait-for-lock", *arguments]
    while True:
        left = deadline - time.monotonic()
        try:
            finished = captured(command, cwd=cwd, environment=environment(), timeout_seconds=left)
        except subprocess.TimeoutExpired:
            raise UserError(
                f"`dvc {arguments[0]}` did not end in {cwd} within {timeout_seconds:.0f} seconds: "
                "does another DVC command run there?"
            ) from None
        if not finished.returncode:
            return finished.stdout
        if not (_BUSY.search(finished.stderr) and time.monotonic() + pause_seconds < deadline):
            lines = finished.stderr.splitlines()
            errors = [line for line in lines if line.startswith("ERROR: ")]
            words = without_passwords(" ".join(" ".join(errors or lines).split()))
            raise UserError(f"`dvc {arguments[0]}` failed in {cwd}: {words}")
        time.sleep(pause_seconds)
