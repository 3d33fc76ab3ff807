"""Lists the files of a new workspace: those of a git checkout, or of the installed package."""

from pathlib import Path

from fer_data.core.errors import UserError
from flows.workspace.client import git

SKELETON = Path(__file__).with_name("skeleton")
"""What stands beside the packages; `pyproject.toml` puts it there, in installed packages alone."""
_PACKAGES = ("fer_data", "fer_models", "flows")
_OF_DATA = {"dvc.lock", "data/raw/mapping.csv"}
_LEFT_OUT = {"__pycache__", SKELETON.name}


def project_root() -> Path:
    """The folder that holds `params.yaml` and the presets of this version.

    Raises:
        UserError: This is neither a git checkout nor an installed package.
    """
    root = _packages_root()
    if (root / ".git").exists():
        return root
    if SKELETON.is_dir():
        return SKELETON
    raise UserError(f"{root} is not a git checkout: clone the project, and run this in the clone")


def workspace_files() -> dict[str, Path]:
    """The files of a workspace by their place in it, without anybody's data.

    Of a checkout these are the tracked files; of an installed package, the packages and what stages need
    beside them.

    Raises:
        UserError: As `project_root`.
    """
    root = project_root()
    if root != SKELETON:
        names = [name for name in git("ls-files", "-z", cwd=root).split("\0") if name]
        # The user's own data stays out: what DVC tracks and recorded, and where it came from.
        return {
            name: root / name
            for name in names
            if name not in _OF_DATA and not name.endswith(".dvc") and (root / name).is_file()
        }
    sources = [_packages_root() / package for package in _PACKAGES]
    files = {
        file.relative_to(source.parent).as_posix(): file
        for source in sources
        for file in _files_below(source)
    }
    return files | {file.relative_to(root).as_posix(): file for file in _files_below(root)}


def _packages_root() -> Path:
    return Path(__file__).resolve().parent.parent.parent


def _files_below(folder: Path) -> list[Path]:
    return [
        file
        for file in sorted(folder.rglob("*"))
        if file.is_file() and not _LEFT_OUT & {*file.relative_to(folder).parts}
    ]
