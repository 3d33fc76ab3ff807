"""Each command that the README and docs/ show can be typed: verbs and flags exist; cheap ones run."""

import argparse
import re
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest
import yaml
from dvc.cli.parser import DvcParser, get_main_parser
from typer.core import TyperCommand
from typer.exceptions import TyperException

from fer_data.synthetic.drawn_archive import write_sample
from flows.cli.main import command_line
from flows.pipeline.flow import rebuild
from flows.workspace.client import environment
from flows.workspace.create import make_workspace

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
OURS = ("ferflow", "make", "python", "prefect", "dvc")
ELSEWHERE = {
    "git": "git's own, of the reader's repository",
    "pip": "asks a package index",
    "ray": "starts a cluster; tests/flows/execution/test_ray_executor.py has one",
    "docker": "needs a daemon",
    "find": "of the system",
    "source": "of the shell",
    "pre-commit": "writes a hook into .git",
}
"""Programs whose words are not checked, with the reason."""
RUN = (
    "ferflow init FOLDER",
    "ferflow upgrade",
    "ferflow preset scratch_tuned",
    "ferflow label-studio-config",
    "ferflow set-weights mobilenetv2 path/to/mobilenetv2.weights.h5",
    "dvc remote add --default store s3://bucket/ferflow",
    "dvc remote modify --local store profile ferflow",
    "dvc status",
)
"""Commands that take seconds, in an order in which a reader types them."""
NOT_RUN = {
    "make demo": "minutes; tests/flows/commands/test_demo.py",
    "ferflow demo": "minutes; tests/flows/commands/test_demo.py",
    "ferflow sample": "part of a sentence; tests/fer_data/synthetic/test_drawn_archive.py",
    "make test": "these tests",
    "make repro": "hours",
    "make serve": "tests/support/servers/prefect.py starts what it starts",
    "ferflow serve": "part of a sentence; tests/support/servers/prefect.py starts it",
    "make setup": "builds an environment",
    "make lint": "CI runs it",
    "make constraints": "asks a package index",
    "make newest": "asks a package index",
    "make platforms": "asks a package index",
    "make check": "an hour",
    "prefect deployment": "tests/flows/pipeline/test_api_access.py runs it as it stands",
    "ferflow run": "hours; tests/flows/pipeline/test_flow.py has tiny workspaces",
    "python benchmarks": "minutes to hours",
    "ferflow simulate-review": "minutes; tests/flows/simulation",
    "ferflow preset cpu": "part of a sentence; tests/flows/workspace/test_overrides.py",
    "ferflow preset gpu": "part of a sentence; tests/flows/workspace/test_overrides.py",
    "dvc repro": "hours",
    "dvc --wait-for-lock": "part of a sentence; tests/flows/workspace/test_stage_runner.py",
    "dvc exp": "hours; tests/end_to_end/test_experiments.py",
    "dvc push": "needs a remote that answers",
    "dvc pull": "needs a remote that answers",
    "dvc checkout": "needs outputs; tests/end_to_end/test_versions.py",
    "dvc add": "part of a sentence",
    "ferflow init": "part of a sentence; tests/flows/workspace/test_template.py",
    "ferflow add": "part of a sentence; tests/flows/workspace/test_create.py",
    "dvc gc": "asks before it deletes",
    "dvc plots": "needs trained models",
    "dvc metrics": "needs trained models",
    "ferflow app": "serves; tests/fer_models/app/test_app.py",
    "ferflow review": "serves; tests/fer_data/review_app/test_review_server.py",
    "ferflow predict": "needs trained models; tests/fer_models/inference/test_predict.py",
    "ferflow export": "needs trained models; tests/fer_models/export/test_export.py",
    "ferflow bundle": "needs trained models; tests/fer_models/inference/test_bundle.py",
    "ferflow publish": "needs reports; tests/flows/publishing/test_publish.py",
    "ferflow rollback": "needs published runs; tests/flows/commands/test_rollback.py",
    "ferflow clean": "needs git history; tests/flows/commands/test_clean_workspace.py",
    "ferflow import-decisions": "needs decisions; tests/flows/commands/test_import_commands.py",
    "ferflow accept-decisions": "needs decisions; tests/flows/commands/test_accept.py",
    "ferflow accept-baseline": "needs faces; tests/flows/commands/test_accept.py",
    "ferflow compare": "needs two manifests; tests/flows/commands/test_import_commands.py",
}
"""Commands that are read and not run here, with the reason."""


class CommandError(Exception):
    """A program does not understand its words."""


def shown() -> dict[str, bool]:
    """The commands of the pages, and whether each stands in a block, and so is whole."""
    found: dict[str, bool] = {}
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        blocks = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
        in_prose = re.findall(rf"`((?:{'|'.join(OURS)})\s[^`]+)`", prose)
        found |= {one: False for line in in_prose for one in commands_of(" ".join(line.split()))}
        lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
        found |= {command: True for line in lines for command in commands_of(line)}
    return found


def commands_of(line: str) -> list[str]:
    """The commands of a line, without its comment and what its output goes to."""
    words = shlex.split(re.sub(r"(^|\s)#.*", "", line.replace("<this repository>", "URL")))
    commands: list[list[str]] = [[]]
    for word in words:
        if word in ("&&", "|"):
            commands.append([])
        else:
            commands[-1].append(word)
    plain = [words[: words.index(">")] if ">" in words else words for words in commands]
    return [shlex.join(words).removeprefix(".venv/bin/") for words in plain if words]


def parse(command: str) -> None:
    """Raises where the program would not understand its words."""
    program, *words = shlex.split(command)
    if program not in ("cd", "export") and program not in ELSEWHERE:
        READERS[program](words)


def read_ferflow(words: list[str]) -> None:
    try:
        command_line().main(words, prog_name="ferflow", standalone_mode=False)
    except TyperException as error:
        raise CommandError(error.format_message()) from None


def read_make(words: list[str]) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    installer = (ROOT / ".ci/install").read_text(encoding="utf-8")
    for word in words:
        name, is_variable, _ = word.partition("=")
        known = rf"\$\((value )?{name}\)|\$\{{{name}-" if is_variable else rf"^{name}:"
        if not re.search(known, makefile + installer, re.MULTILINE):
            raise CommandError(f"make knows no {word}")


def read_python(words: list[str]) -> None:
    source = (ROOT / words[0]).read_text(encoding="utf-8")
    for flag in (word for word in words[1:] if word.startswith("--")):
        if f'"{flag}"' not in source:
            raise CommandError(f"{words[0]} knows no {flag}")


def read_prefect(words: list[str]) -> None:
    deployments = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))["deployments"]
    names = {f"{rebuild.name}/{one['name']}" for one in deployments}
    if words[:2] != ["deployment", "run"] or words[2] not in names:
        raise CommandError(f"prefect knows no {words}")


READERS: dict[str, Callable[[list[str]], object]] = {
    "ferflow": read_ferflow,
    "make": read_make,
    "python": read_python,
    "prefect": read_prefect,
    "dvc": lambda words: get_main_parser().parse_args(words),
}
"""How each program of ours understands its words."""


SHOWN = shown()


@pytest.fixture(autouse=True)
def _errors_are_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    def error(_: argparse.ArgumentParser, message: str, *_more: object) -> NoReturn:
        raise CommandError(message)

    for parser in (argparse.ArgumentParser, DvcParser):
        monkeypatch.setattr(parser, "error", error)
    # Ours are parsed, and not run.
    monkeypatch.setattr(TyperCommand, "invoke", lambda *_: None)


def test_commands_are_found() -> None:
    assert {
        "ferflow review --annotator ann": True,
        "prefect deployment run rebuild/on-demand": True,
        "ferflow run --force": False,
        "ferflow predict --format csv -": True,
        "ferflow predict --format csv faces/": True,
    }.items() <= SHOWN.items()
    assert len(SHOWN) > 90


@pytest.mark.parametrize(("command", "is_whole"), SHOWN.items(), ids=SHOWN)
def test_a_command_can_be_typed(command: str, is_whole: bool) -> None:
    try:
        parse(command)
    except CommandError as error:
        if is_whole or not str(error).startswith(
            ("the following arguments are required", "Missing ")
        ):
            raise


@pytest.mark.parametrize(
    "command",
    [
        "ferflow reveiw",
        "ferflow relabel",
        "ferflow add",
        "ferflow run --executor rays",
        "ferflow export --formt onnx scratch",
        "make serv",
        "make serve PROT=4200",
        "python benchmarks/ensemble.py --no-such-flag",
        "prefect deployment run rebuild/weekly",
        "dvc repor",
        "dvc push --run-cash",
    ],
)
def test_a_command_that_does_not_exist_is_noticed(command: str) -> None:
    with pytest.raises(CommandError):
        parse(command)


@pytest.mark.parametrize("name", command_line().commands)
def test_the_example_in_a_command_s_help_can_be_typed(name: str) -> None:
    example = (command_line().commands[name].epilog or "").removeprefix("Example: ")
    assert example.startswith(f"ferflow {name}")
    for command in commands_of(example):
        parse(command)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with an archive, and a file where the pages name one."""
    folder = tmp_path_factory.mktemp("documented")
    write_sample(folder / "archive.zip", num_faces=120)
    make_workspace(folder / "ferflow", archive=folder / "archive.zip", overrides={})
    weights = folder / "ferflow/path/to/mobilenetv2.weights.h5"
    weights.parent.mkdir(parents=True)
    weights.write_bytes(b"weights")
    return folder / "ferflow"


@pytest.mark.parametrize("command", RUN)
def test_what_is_cheap_runs_as_it_is_written(workspace: Path, command: str) -> None:
    assert command in SHOWN
    finished = subprocess.run(
        ["bash", "-c", command],
        cwd=workspace,
        env=environment() | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr


def test_what_is_not_run_has_a_reason() -> None:
    known = (*RUN, *NOT_RUN, *ELSEWHERE, "cd", "export")
    assert [one for one in SHOWN if not one.startswith(known)] == []
    gone = [one for one in NOT_RUN if not any(command.startswith(one) for command in SHOWN)]
    assert gone == []
