"""Commands and stages run as where some packages are not installed."""

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from flows.workspace.client import environment

_BLOCK = """
import runpy, sys
from importlib.machinery import PathFinder

blocked = set(sys.argv.pop(1).split(","))
find_spec = PathFinder.find_spec

def find(name, path=None, target=None):
    return None if name.partition(".")[0] in blocked else find_spec(name, path, target)

PathFinder.find_spec = find
module = sys.argv[1]
sys.argv[:2] = ["-m"]
runpy.run_module(module, run_name="__main__", alter_sys=True)
"""


def run_without(
    packages: Iterable[str], module: str, *words: str, cwd: Path
) -> subprocess.CompletedProcess[str]:
    """Runs a module by its name, as `python -m` does.

    Args:
        packages: Top-level modules that are not to be found.
        module: Such as `flows.cli.main`, the command line.
        *words: What follows it.
        cwd: The folder.
    """
    command = [sys.executable, "-c", _BLOCK, ",".join(packages), module, *words]
    return subprocess.run(
        command, cwd=cwd, env=environment(), capture_output=True, text=True, check=False
    )
