"""Checks the names of a zip's members: no links, no way out of the archive, no two alike."""

import re
import stat
import unicodedata
import zipfile
from collections.abc import Iterable
from pathlib import Path

from fer_data.core.errors import UserError

JUNK_FOLDER = "__macosx"
JUNK_FILES = frozenset({".ds_store", "thumbs.db", "ehthumbs.db", "desktop.ini"})
"""What file managers leave behind, in lower case."""
JUNK_PREFIX = "._"
"""Of the files in which macOS keeps what exFAT and network drives cannot, beside each file."""

# Encrypted, strongly encrypted, or with a masked directory.
_ENCRYPTED_FLAGS = 0x0001 | 0x0040 | 0x2000
_MAX_NAME_BYTES = 4096
"""As Linux allows. A zip allows 65,535, which names in the archive that `add` writes would exceed."""
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")


def is_folder(info: zipfile.ZipInfo) -> bool:
    """Whether a member is a folder, which has a folder's name and no content."""
    return named_as_folder(info) and not info.file_size


def named_as_folder(info: zipfile.ZipInfo) -> bool:
    """Whether a member has a folder's name; one with content is neither folder nor file."""
    return info.orig_filename.endswith(("/", "\\"))


def is_junk(path: str) -> bool:
    """Whether a file manager left the file behind."""
    *folders, name = path.casefold().split("/")
    return JUNK_FOLDER in folders or name in JUNK_FILES or name.startswith(JUNK_PREFIX)


def checked_path(file: Path, info: zipfile.ZipInfo) -> str:
    """Checks a member's name, flags and type, and returns the name with `/` between its parts.

    Raises:
        UserError: The member is encrypted, a link or a device, or its name is invalid, too long or
            climbs out of the archive.
    """
    # `filename` has been cut at a NUL. Some packers of Windows write backslashes.
    name = info.orig_filename.replace("\\", "/")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    kind = stat.S_IFMT(info.external_attr >> 16)  # Unix's mode; 0 where another system packed it
    shown = f"{file}: member {info.orig_filename[:200]!r}"
    if info.flag_bits & _ENCRYPTED_FLAGS:
        raise UserError(f"{shown} is encrypted: pack the archive again without a password")
    # No carriage return gets through a CSV file, and no terminal is to be steered by a name.
    if _CONTROL.search(name) or not (parts or is_folder(info)):
        raise UserError(f"{shown} has no valid name: pack the archive again")
    if (size := len(name.encode(errors="replace"))) > _MAX_NAME_BYTES:
        raise UserError(
            f"{shown} has a name of {size:,} bytes, expected at most {_MAX_NAME_BYTES:,}: shorten it"
        )
    # An absolute path, a drive of Windows, or a way up.
    if name.startswith("/") or re.match("[A-Za-z]:", name) or ".." in parts:
        raise UserError(f"{shown} climbs out of the archive: pack it again with relative names")
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        what = "a symbolic link" if kind == stat.S_IFLNK else "no regular file"
        raise UserError(f"{shown} is {what}: pack the archive again with the files themselves")
    return "/".join(parts)


def check_distinct(file: Path, paths: Iterable[str]) -> None:
    """Refuses names that some file systems cannot tell apart, and a manifest's key must.

    Args:
        file: The archive, for the message.
        paths: Of its members, as `checked_path` returns them.

    Raises:
        UserError: Two of them differ in case or Unicode form alone, or not at all.
    """
    seen: dict[str, str] = {}
    for path in paths:
        key = unicodedata.normalize("NFC", path).casefold()
        if key in seen:
            raise UserError(
                f"{file} has two members of one name, {seen[key]!r} and {path!r} (case and "
                "Unicode form do not count): pack it again without one of them"
            )
        seen[key] = path
