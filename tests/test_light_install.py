"""Which extras each command needs: those that only predict do without any but TensorFlow."""

import ast
import re
import sys
import tomllib
from functools import cache
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from PIL import Image

from fer_data.core.errors import UserError
from fer_data.missing_packages import MODULES
from flows.workspace.client import check_dvc
from tests.support.flows.blocked_packages import run_without
from tests.support.models.scenes import scene
from tests.support.models.trained_workspace import make_models

ROOT = Path(__file__).parent.parent
OURS = ("fer_data", "fer_models", "flows")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
HEAVY = ("app", "pipeline", "flows", "ray", "export")
NEEDS = {
    "predict": [],
    "bundle": [],
    "export": [],  # its formats name what they need by themselves
    "set-weights": [],
    "sample": [],
    "preset": [],
    "upgrade": [],
    "app": ["app"],
    "add": ["pipeline"],
    "compare": ["pipeline"],
    "demo": ["pipeline"],
    "init": ["pipeline"],
    "publish": ["pipeline"],
    "rollback": ["pipeline"],
    "accept-baseline": ["pipeline"],
    "accept-decisions": ["pipeline"],
    "import-decisions": ["pipeline"],
    "label-studio-config": ["pipeline"],
    "simulate-review": ["pipeline"],
    "review": ["app", "pipeline"],
    "clean": ["flows", "pipeline"],
    "run": ["flows", "pipeline"],
    "serve": ["flows", "pipeline"],
}
"""Commands, and the extras that they need beside `cpu` or `gpu`."""
BROUGHT = {
    "gradio": ["python_multipart", "starlette"],
    "prefect": ["uvicorn"],
    "ai-edge-litert": ["google"],
    "tensorflow": ["google", "numpy"],
}
"""Modules that come with a package, and are imported for its sake alone."""


def modules_of(requirements: list[str]) -> set[str]:
    """The top-level modules that requirements bring."""
    names = [Requirement(text).name for text in requirements]
    names_of_modules = {package: module for module, package in MODULES.items()}
    found = {names_of_modules.get(name, name.replace("-", "_")) for name in names}
    return found | set(chain.from_iterable(BROUGHT.get(name, []) for name in names))


@cache
def imported(file: Path) -> tuple[frozenset[Path], frozenset[str]]:
    """What a module of ours imports when it is imported: files of ours, modules of others."""
    found: set[str] = set()
    for node in ast.parse(file.read_text()).body:
        found |= names_in(node)
    files = {one for name in found for one in files_of(name)}
    others = {name.partition(".")[0] for name in found}
    return frozenset(files), frozenset(others - {*OURS, *sys.stdlib_module_names})


def names_in(node: ast.AST) -> set[str]:
    """What an import names: modules, and what may be one."""
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names}
    if isinstance(node, ast.ImportFrom):
        return {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)}
    return set()


def files_of(name: str) -> set[Path]:
    """The file of a module of ours and those of the packages above it; none if it is none."""
    if name.partition(".")[0] not in OURS:
        return set()
    parts = name.split(".")
    paths = [ROOT.joinpath(*parts[:count]) for count in range(1, len(parts) + 1)]
    files = [*(path / "__init__.py" for path in paths), paths[-1].with_suffix(".py")]
    return {file for file in files if file.exists()}


def command_functions() -> dict[str, ast.FunctionDef]:
    """The function of each command, by the command's name."""
    functions: dict[str, ast.FunctionDef] = {}
    for file in (ROOT / "flows/cli").glob("*.py"):
        for node in ast.parse(file.read_text()).body:
            if not isinstance(node, ast.FunctionDef) or not node.decorator_list:
                continue
            decorator = ast.unparse(node.decorator_list[0])
            if found := re.match(r"app\.command\((?:'([\w-]+)')?", decorator):
                functions[found[1] or node.name.replace("_", "-")] = node
    return functions


FUNCTIONS = command_functions()


def test_every_command_says_what_it_needs() -> None:
    assert set(FUNCTIONS) == set(NEEDS)


@pytest.mark.parametrize("command", NEEDS)
def test_a_command_imports_only_what_its_extras_bring(command: str) -> None:
    names = set(chain.from_iterable(map(names_in, ast.walk(FUNCTIONS[command]))))
    names |= {"flows.cli.main", "fer_data.stages.all_settings"}
    others = {name.partition(".")[0] for name in names} - {*OURS, *sys.stdlib_module_names}
    waiting = set(chain.from_iterable(map(files_of, names)))
    seen: set[Path] = set()
    while waiting:
        file = waiting.pop()
        seen.add(file)
        files, modules = imported(file)
        waiting |= files - seen
        others |= modules
    allowed = modules_of(PROJECT["dependencies"]) | {"tensorflow"}
    for extra in NEEDS[command]:
        allowed |= modules_of(EXTRAS[extra])
    assert others - allowed == set()


HEAVY_MODULES = set(chain.from_iterable(modules_of(EXTRAS[extra]) for extra in HEAVY)) - {
    *modules_of(PROJECT["dependencies"]),
    "google",  # a namespace, of protobuf too
}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One with a trained model and an image of two faces."""
    folder = make_models(tmp_path_factory.mktemp("light") / "workspace", "scratch")
    Image.fromarray(scene((30, 60, 100), (180, 20, 120))).save(folder / "two.png")
    return folder


@pytest.mark.parametrize(
    "words", [["--help"], ["--version"], ["predict", "two.png"], ["bundle"]], ids=" ".join
)
def test_the_light_install_predicts_and_helps(workspace: Path, words: list[str]) -> None:
    done = run_without(HEAVY_MODULES, "flows.cli.main", *words, cwd=workspace)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("words", "package", "extra"),
    [
        (["app"], "gradio", "app"),
        (["review"], "pyarrow", "pipeline"),
        (["run"], "prefect", "flows"),
        (["serve"], "httpx", "flows"),
        (["compare", ".", "."], "great-expectations", "pipeline"),
        (["publish", "there"], "pyarrow", "pipeline"),
        (["accept-decisions", "--by", "Ann"], "pyarrow", "pipeline"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_a_command_names_the_extra_that_it_lacks(
    workspace: Path, words: list[str], package: str, extra: str
) -> None:
    done = run_without(HEAVY_MODULES, "flows.cli.main", *words, cwd=workspace)
    line = rf"error: [\w-]+ is not installed: pip install 'ferflow\[{extra}\]'.*\n"
    assert done.returncode == 1
    assert re.fullmatch(line, done.stderr), done.stderr
    assert package in done.stderr


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("flows.cli.main", ["predict", "two.png"]),
        ("fer_models.training.train", ["--model", "scratch"]),
    ],
)
def test_without_tensorflow_both_builds_are_named(
    workspace: Path, module: str, words: list[str]
) -> None:
    done = run_without({"tensorflow"}, module, *words, cwd=workspace)
    assert done.returncode == 1
    assert done.stderr == (
        "error: tensorflow is not installed: pip install 'ferflow[cpu]' or pip install "
        "'ferflow[gpu]' (with an NVIDIA GPU)\n"
    )


def test_a_module_of_nobody_s_is_no_user_s_mistake(workspace: Path) -> None:
    done = run_without({"threadpoolctl"}, "flows.cli.main", "predict", "two.png", cwd=workspace)
    assert "\nModuleNotFoundError: No module named 'threadpoolctl'" in done.stderr


def test_dvc_is_missed_before_work_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flows.workspace.client.environment", lambda: {"PATH": "/nowhere"})
    with pytest.raises(UserError, match=r"^dvc is not installed: pip install 'ferflow\[pipeline"):
        check_dvc()
