"""What `ferflow` says before a command runs: its help, its version, and what it does not understand."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from flows.cli.main import EXIT_CODES, RENAMED, command_line, main
from flows.execution.executors import ExecutorName
from tests.support.servers.processes import FERFLOW

SLOW = (
    "tensorflow",
    "pandas",
    "great_expectations",
    "gradio",
    "prefect",
    "pydantic",
    "rich.console",
)
"""What is not imported before a command runs."""


def ending(monkeypatch: pytest.MonkeyPatch, *words: str) -> str | int | None:
    monkeypatch.setattr(sys, "argv", ["ferflow", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code


def test_help_lists_the_commands_by_group_and_the_exit_codes(monkeypatch, capsys) -> None:
    monkeypatch.setattr(sys, "argv", ["ferflow", "-h"])
    main()
    shown = capsys.readouterr().out
    titles = re.findall(r"^(\w+):$", shown, re.MULTILINE)
    assert titles == ["Options", "Pipeline", "Operating", "Data", "Labels", "Models"]
    groups = dict(zip(titles, re.split(r"^\w+:$", shown, flags=re.MULTILINE)[1:], strict=True))
    assert re.findall(r"^  ([\w-]+) ", groups["Labels"], re.MULTILINE) == [
        *("review", "import-decisions", "accept-decisions", "label-studio-config"),
        "simulate-review",
    ]
    for name in command_line().commands:
        assert f"\n  {name} " in shown
    for code, meaning in EXIT_CODES.items():
        assert f" {code}  {meaning}\n" in shown


def test_help_imports_nothing_slow() -> None:
    code = (
        "import sys; from flows.cli.main import main; main(); "
        f"print([name for name in {SLOW} if name in sys.modules])"
    )
    finished = subprocess.run(
        [sys.executable, "-c", code, "--help"], capture_output=True, text=True, check=True
    )
    assert finished.stdout.splitlines()[-1] == "[]"


def test_without_a_word_the_help_is_shown(monkeypatch, capsys) -> None:
    assert ending(monkeypatch) == 2
    assert "Pipeline:" in capsys.readouterr().out


def test_the_version_is_that_of_the_package(monkeypatch, capsys) -> None:
    monkeypatch.setattr(sys, "argv", ["ferflow", "--version"])
    main()
    assert re.fullmatch(r"ferflow \d+\.\d+\.\d+\n", capsys.readouterr().out)


@pytest.mark.parametrize("name", command_line().commands)
def test_every_command_has_a_workspace_and_an_example(name: str, monkeypatch, capsys) -> None:
    monkeypatch.setattr(sys, "argv", ["ferflow", name, "--help"])
    main()
    shown = " ".join(capsys.readouterr().out.split())
    assert "--workspace FOLDER" in shown or name == "init"  # whose argument it is
    assert f"Example: ferflow {name}" in shown


@pytest.mark.parametrize("old", RENAMED, ids=" ".join)
def test_an_old_command_names_the_new_one(old: tuple[str, ...], monkeypatch, capsys) -> None:
    assert ending(monkeypatch, *old, "--by", "ann") == 2
    words = " ".join(old)
    assert capsys.readouterr().err == (
        f"error: `ferflow {words}` is now `ferflow {RENAMED[old]}`; see `ferflow --help`\n"
    )
    news = RENAMED[old].replace(" or ", ", ").split(", ")
    assert set(news) <= set(command_line().commands)


@pytest.mark.parametrize("module", ["flow", "serve"])
def test_an_old_module_names_the_new_command(module: str) -> None:
    finished = subprocess.run(
        [sys.executable, "-m", f"flows.pipeline.{module}"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    new = {"flow": "run", "serve": "serve"}[module]
    assert finished.returncode == 2
    assert finished.stderr == f"error: `python -m flows.pipeline.{module}` is now `ferflow {new}`\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["nap"],
            r"no command 'nap': expected one of init, demo, .*, set-weights; see `ferflow --h",
        ),
        (["caf\udce9\n"], r"no command 'caf\\xe9 ': expected one of init"),
        (["add"], r"Missing argument 'PATH'; see `ferflow add --help`$"),
        (["add", "a.zip", "b.zip"], r"Got unexpected extra argument\(s\) \(b\.zip\)"),
        (["export", "scratch"], r"Missing option '--format'"),
        (["accept-decisions"], r"Missing option '--by'"),
        (["demo", "--faces", "many"], r"Invalid value for '--faces': .*integer"),
        (
            ["simulate-review", "--seed", "-1"],
            r"Invalid value for '--seed': .* greater than or equal to 0",
        ),
        (["predict", "a.png", "--format", "xml"], r".*'xml' is not one of 'table', 'csv', 'jsonl'"),
        (["export", "--formt", "onnx", "scratch"], r"No such option: --formt .*--format"),
        (["run", "--executor", "rays"], r".*'rays' is not one of 'local', 'ray'"),
        (["--workspace", "w", "add"], r"No such option: --workspace"),
    ],
)
def test_a_wrong_command_line_is_one_line(words, message, monkeypatch, capsys) -> None:
    assert ending(monkeypatch, *words) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert re.match(f"error: {message}", said.err.removesuffix("\n")), said.err
    assert said.err.count("\n") == 1


def test_the_executors_are_those_that_there_are() -> None:
    (executor,) = (one for one in command_line().commands["run"].params if one.name == "executor")
    assert get_args(executor.type_descriptor.annotation) == get_args(ExecutorName)  # pyright: ignore[reportAttributeAccessIssue]


def test_a_shell_completes_commands_and_options() -> None:
    def completed(typed: str) -> list[str]:
        environment = os.environ | {
            "_FERFLOW_COMPLETE": "complete_bash",
            "COMP_WORDS": typed,
            "COMP_CWORD": str(typed.count(" ")),
        }
        return subprocess.run(
            [FERFLOW], env=environment, capture_output=True, text=True, check=True
        ).stdout.split()

    assert completed("ferflow acc") == ["accept-baseline", "accept-decisions"]
    assert completed("ferflow predict --form") == ["--format"]
    assert completed("ferflow predict --format c") == ["csv"]


def test_help_whose_reader_has_gone_ends_quietly() -> None:
    finished = subprocess.run(
        ["bash", "-c", f"{FERFLOW} --help | true; exit ${{PIPESTATUS[0]}}"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert finished.stderr == ""
    assert finished.returncode in (0, 141)  # 0: the pipe took it all before its reader went


def test_ctrl_c_has_a_code_of_its_own(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "params.yaml")
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # not ignored, as in `&`
    try:
        process = subprocess.Popen(
            [FERFLOW, "label-studio-config"], cwd=tmp_path, stderr=subprocess.PIPE, text=True
        )
    finally:
        signal.signal(signal.SIGINT, before)
    with (tmp_path / "params.yaml").open("w"):  # as soon as the command reads it
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (130, "interrupted\n")
