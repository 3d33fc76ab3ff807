"""Refuses to overwrite files that another program, or a person, made."""

from collections.abc import Callable
from pathlib import Path

from fer_data.core.errors import UserError
from fer_data.core.files import refuse_folder


def refuse_foreign(
    target: Path, *, is_own: Callable[[Path], bool], command: str, remedy: str = ""
) -> None:
    """Refuses to replace anything but an earlier output of the same command; call it before any work.

    Args:
        target: The file to write. It need not exist.
        is_own: Whether a file's content, whatever its name, is what the command writes. It is asked
            about regular files alone.
        command: What a person typed, such as `ferflow bundle`.
        remedy: What else helps, beside another name.

    Raises:
        UserError: `target` is a folder, or is there and is something else.
    """
    refuse_folder(target)
    if target.exists() and not (target.is_file() and is_own(target)):
        raise UserError(
            f"{target} is there already, and is not what `{command}` writes: name another "
            f"file{remedy}"
        )
