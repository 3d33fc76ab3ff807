"""Says in one line how to install a package that is missing: of which extra of Ferflow it is a part."""

import re
import sys
from importlib import metadata
from types import TracebackType

MODULES = {"PIL": "pillow", "ruamel": "ruamel-yaml", "sklearn": "scikit-learn", "yaml": "pyyaml"}
"""Modules whose packages have other names."""
_COMMANDS = {None: "pip install ferflow", "gpu": "pip install 'ferflow[gpu]' (with an NVIDIA GPU)"}
_SUMS = {"all", "dev"}
"""Extras that hold others."""
_REQUIREMENT = re.compile(r"(?P<package>[\w.-]+)(.*extra == ['\"](?P<extra>[\w-]+)['\"])?")


def in_words(error: ModuleNotFoundError) -> str | None:
    """The package and what installs it; None if it is no requirement of Ferflow's.

    Such as `gradio is not installed: pip install 'ferflow[app]'`.
    """
    if error.name is None:
        return None
    package = MODULES.get(error.name, error.name.replace("_", "-"))
    builds = {package, f"{package}-cpu"}  # of TensorFlow there are two
    found = [one for one in _requirements() if one["package"].lower() in builds]
    if not found:
        return None
    extras = dict.fromkeys(one["extra"] for one in found if one["extra"] not in _SUMS)
    commands = [_COMMANDS.get(extra, f"pip install 'ferflow[{extra}]'") for extra in extras]
    return f"{package} is not installed: {' or '.join(commands)}"


def tell_of_stages() -> None:
    """Lets a module that Python runs by its name, as DVC runs stages, end in that line, too."""
    if sys.argv[0] != "-m":  # what Python sets while it looks for that module
        return
    before = sys.excepthook

    def tell(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        words = in_words(error) if isinstance(error, ModuleNotFoundError) else None
        if words is None:
            before(kind, error, trace)
        else:
            sys.stderr.write(f"error: {words}\n")

    sys.excepthook = tell


def _requirements() -> list[re.Match[str]]:
    try:
        lines = metadata.requires("ferflow") or []
    except metadata.PackageNotFoundError:  # a copy of the code that was not installed
        return []
    return [found for line in lines if (found := _REQUIREMENT.match(line))]
