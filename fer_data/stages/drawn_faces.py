"""The mark of drawn faces: a comment in their archive, and with it in the manifest made of it.

Models of drawn faces do not know people: who reads photos must be able to tell.
"""

from importlib import import_module
from pathlib import Path
from typing import Final

from fer_data.core.errors import UserError

ARCHIVE_COMMENT: Final = b"Faces drawn by Ferflow"
"""The comment of a zip of drawn faces; copies keep it."""
_KEY, _DRAWN = "origin", "drawn"


def manifest_metadata(archive_comment: bytes) -> dict[str, str]:
    """What a manifest is to hold of where its faces come from; nothing for faces of people."""
    return {_KEY: _DRAWN} if archive_comment == ARCHIVE_COMMENT else {}


def are_drawn(manifest: Path) -> bool:
    """Whether the faces of a manifest are marked as drawn; not if it is missing or broken."""
    if not manifest.is_file():
        return False
    # PyArrow is imported for a manifest alone: who predicts with a bundle does without it.
    tables = import_module("fer_data.core.tables")
    try:
        return tables.read_metadata(manifest).get(_KEY) == _DRAWN
    except UserError:
        return False
