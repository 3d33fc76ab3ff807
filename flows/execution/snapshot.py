"""Packs a workspace as it stands into bytes, and makes a clone of them, here or on another machine."""

import hashlib
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from fer_data.core.catalog import stages_in
from fer_data.core.errors import UserError
from flows.workspace.client import dvc, git
from flows.workspace.create import ARCHIVE

LOCAL_CONFIG = ".dvc/config.local"
LOCK_FILE = "dvc.lock"
_BUNDLE = "workspace.bundle"
_KEY = ".dvc/tmp/workspace-key"
_SITE = ".dvc/tmp/site"
_SETTINGS = ("--config", "core.hooksPath=/dev/null", "--config", "commit.gpgSign=false")
"""Kept in a clone: a person's own hooks run neither when it is made nor when DVC commits there."""


@dataclass(frozen=True)
class Packed:
    """A commit, and what differs from it in the workspace."""

    bundle: bytes
    """Of git, with the commit and its history."""
    files: Mapping[str, bytes]
    """Tracked files that were edited or added, those that git does not know and a stage reads, what DVC
    tracks and recorded, and DVC's local settings; nothing else, since that may be a secret."""
    removed: frozenset[str]
    """Files that the commit has and the workspace has not."""
    commit: str

    @property
    def key(self) -> str:
        """Identifies a workspace by commit, edits and removals: 16 hexadecimal digits.

        What DVC recorded of its runs is left aside: it changes with each, and DVC itself checks it.
        """
        digest = hashlib.sha256(self.commit.encode())
        for name, content in sorted(self.files.items()):
            if name != LOCK_FILE:
                digest.update(hashlib.sha256(name.encode() + b"\0" + content).digest())
        for name in sorted(self.removed):
            digest.update(hashlib.sha256(name.encode()).digest())
        return digest.hexdigest()[:16]


def pack(workspace: Path) -> Packed:
    """Packs the tracked files of a workspace and what stages read, without their outputs.

    Raises:
        UserError: It is no git checkout, has no commit yet, or its archive is one that only it has.
    """
    if (workspace / ARCHIVE).exists() and not (workspace / f"{ARCHIVE}.dvc").exists():
        raise UserError(
            f"{ARCHIVE} is not versioned, so that a clone of the workspace lacks it: "
            f"`ferflow add {ARCHIVE}` versions it"
        )
    options = ("--name-only", "--no-renames", "--relative", "-z", "HEAD")
    edited = _names(git("diff", *options, cwd=workspace))
    others = _names(git("ls-files", "-z", "--others", "--exclude-standard", cwd=workspace))
    names = [*edited, *_needed(others, stages_in(workspace)), LOCAL_CONFIG]
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder) / _BUNDLE
        git("bundle", "create", "--quiet", str(bundle), "HEAD", cwd=workspace)
        return Packed(
            bundle.read_bytes(),
            files={
                name: (workspace / name).read_bytes()
                for name in names
                if (workspace / name).is_file()
            },
            removed=frozenset(name for name in edited if not (workspace / name).is_file()),
            commit=git("rev-parse", "HEAD", cwd=workspace).strip(),
        )


def unpack(packed: Packed, folder: Path, *, cache: Path, place: Path | None = None) -> None:
    """Makes a clone; once the folder is there, it is whole.

    Args:
        packed: The workspace.
        folder: The clone, which must not exist yet.
        cache: The DVC cache that it is to use.
        place: Where the clone is moved to before it is used; None: it stays.
    """
    beside = folder.with_name(f"{folder.name}.unfinished")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    bundle = beside / _BUNDLE
    bundle.write_bytes(packed.bundle)
    clone = beside / "clone"
    git("clone", "--quiet", "--template=", *_SETTINGS, str(bundle), str(clone), cwd=beside)
    lay_files(packed.files, clone)
    for name in packed.removed:
        (clone / name).unlink(missing_ok=True)
    dvc("config", "--local", "cache.dir", str(cache), cwd=clone)
    # What DVC remembers of a clone goes with it, and not into the machine's folder for all users.
    site = (place or folder).absolute() / _SITE
    dvc("config", "--local", "core.site_cache_dir", str(site), cwd=clone)
    (clone / _KEY).parent.mkdir(exist_ok=True)
    (clone / _KEY).write_text(packed.key, encoding="utf-8")
    clone.rename(folder)
    shutil.rmtree(beside)


def is_clone_of(packed: Packed, folder: Path) -> bool:
    """Whether a folder is a clone of this very workspace, with the same edits and removals."""
    file = folder / _KEY
    return file.is_file() and file.read_text(encoding="utf-8") == packed.key


def lay_files(files: Mapping[str, bytes], folder: Path) -> None:
    """Writes files into a folder, over those that it has."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def _needed(names: list[str], stages: dict[str, Any]) -> list[str]:
    """The files that a stage reads, or that DVC wrote, of those that git does not know."""
    listed = [dep for stage in stages.values() for dep in stage.get("do", stage).get("deps", [])]
    paths = [dep if isinstance(dep, str) else next(iter(dep)) for dep in listed]
    patterns = [re.sub(r"\$\{[^}]*\}", "*", path).rstrip("/") for path in paths]
    return [
        name
        for name in names
        if name == LOCK_FILE
        or name.endswith(".dvc")
        or any(fnmatchcase(name, one) or fnmatchcase(name, f"{one}/*") for one in patterns)
    ]


def _names(listed: str) -> list[str]:
    return [name for name in listed.split("\0") if name]
