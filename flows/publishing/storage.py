"""A folder that files are published to: anywhere fsspec reaches, each file read back after its copy."""

import posixpath
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from fsspec.core import url_to_fs

from fer_data.core.errors import UserError
from flows.workspace.redaction import without_passwords


class UnreachableError(UserError):
    """The destination does not answer, or refuses: another try may succeed."""


def _without_detours(path: Path) -> Path:
    """A path from the root, without `..`; links stay as they are where there is none."""
    return path.resolve() if ".." in path.parts else path.absolute()


class Destination:
    """A folder on a disk, on a server or in an object store."""

    def __init__(self, place: str, *, workspace: Path = Path()) -> None:
        """Opens the folder, which need not exist yet.

        Args:
            place: A URL for fsspec (`s3://bucket/folder`, `file:///folder`), or a path.
            workspace: Where a relative path starts.

        Raises:
            UserError: The URL names no folder, its protocol is unknown, the protocol's package is not
                installed, or nothing answers.
        """
        protocol, is_url, rest = place.partition("://")
        if is_url and (not protocol or not rest or (protocol == "file" and rest[0] != "/")):
            # fsspec would take it for a path below the current folder.
            raise UserError(
                f"got the destination '{without_passwords(place)}', which names no folder: expected "
                "a path, or a URL such as file:///srv/ferflow or s3://bucket/ferflow"
            )
        path = place if is_url else str(_without_detours(workspace / Path(place).expanduser()))
        if protocol == "file" and is_url:
            path = f"file://{_without_detours(Path(rest))}"
        address = path if "://" in path else Path(path).as_uri()
        self.address = without_passwords(address).rstrip("/")
        """The folder's URL, without user and password."""
        with self._reached():
            self._files, self._root = url_to_fs(path)
            self._files.invalidate_cache()  # of listings: another publication may have added files

    def url(self, name: str) -> str:
        """The URL of a file or folder below this one."""
        return f"{self.address}/{name}"

    def read(self, name: str) -> bytes | None:
        """Reads a file; None if there is no such file.

        Raises:
            UserError: The destination cannot be reached.
        """
        with self._reached():
            try:
                return self._files.cat_file(self._path(name))
            except FileNotFoundError:
                return None

    def put(self, name: str, content: bytes) -> None:
        """Writes a file and reads it back; one that holds this content already stays untouched.

        Args:
            name: The file's path below this folder, with slashes.
            content: What it is to hold.

        Raises:
            UserError: The destination cannot be reached, or holds something else afterwards.
        """
        if self.read(name) == content:
            return
        with tempfile.TemporaryDirectory() as scratch, self._reached():
            # Object stores tell the type of a file that they are given by its name, of bytes not at all.
            file = Path(scratch) / posixpath.basename(name)
            file.write_bytes(content)
            self._files.makedirs(posixpath.dirname(self._path(name)), exist_ok=True)
            self._files.put_file(str(file), self._path(name))
        if self.read(name) != content:
            raise UserError(f"{self.url(name)} does not hold what was sent there: publish again")

    def replace(self, name: str, content: bytes) -> None:
        """Writes a file at once, so that readers see the old content or the new one, never a part.

        The content is put beside the file, read back, and moved: a rename where there are folders, a
        copy within an object store, which replaces an object as a whole.

        Raises:
            UserError: As `put` does; the file holds what it held.
        """
        folder, last = posixpath.split(name)
        beside = posixpath.join(folder, f".unfinished-{last}")  # the ending, and so the type, stays
        self.put(beside, content)
        with self._reached():
            self._files.mv(self._path(beside), self._path(name))

    def folders(self, name: str) -> list[str]:
        """The names of the folders in a folder, in their order; none where it is not there.

        Raises:
            UserError: The destination cannot be reached.
        """
        with self._reached():
            try:
                found = self._files.ls(self._path(name), detail=True)
            except FileNotFoundError:
                return []
            return sorted(
                posixpath.basename(one["name"].rstrip("/"))
                for one in found
                if one["type"] == "directory"
            )

    def sizes(self, name: str) -> dict[str, int]:
        """The bytes of each file below a folder, by its path below this one.

        Raises:
            UserError: The destination cannot be reached.
        """
        root = self._path(name)
        with self._reached():
            try:
                found = self._files.find(root, detail=True)
            except FileNotFoundError:
                return {}
            return {
                f"{name}/{posixpath.relpath(path, root)}": int(one["size"] or 0)
                for path, one in found.items()
            }

    def written(self, name: str) -> datetime | None:
        """When a file was last written, in UTC; None where the destination does not say.

        Raises:
            UserError: The destination cannot be reached.
        """
        with self._reached():
            try:
                moment = self._files.modified(self._path(name))
            except NotImplementedError:  # what fsspec raises where a store keeps no times
                return None
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

    def remove(self, name: str) -> None:
        """Removes a folder and all that is in it.

        Raises:
            UserError: The destination cannot be reached.
        """
        with self._reached():
            self._files.rm(self._path(name), recursive=True)

    def _path(self, name: str) -> str:
        return posixpath.join(self._root, name)

    @contextmanager
    def _reached(self) -> Iterator[None]:
        try:
            yield
        except ImportError as error:
            raise UserError(
                f"{self.address}: {error}: `pip install --constraint constraints.txt PACKAGE` leaves "
                "the other packages as they are"
            ) from error
        except Exception as error:
            # Each file system of fsspec raises what its library does: they share no other class.
            words = without_passwords(" ".join(str(error).split())) or "no reason given"
            raise UnreachableError(
                f"{self.address} cannot be published to: {type(error).__name__}: {words}"
            ) from error
