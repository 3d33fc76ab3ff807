"""Commands typed in a folder that is no workspace: one line says so, and nothing is left behind."""

import sys
from pathlib import Path

import pytest

from flows.cli.main import main

COMMANDS = (
    *("accept-baseline --by Ann", "accept-decisions --by Ann", "add x.zip", "bundle"),
    *("bundle --half", "clean", "compare a b", "import-decisions x.csv", "label-studio-config"),
    *("preset cpu", "publish site", "review --annotator ann", "rollback", "run", "serve"),
    *("set-weights mobilenetv2 x", "upgrade"),
)


@pytest.mark.parametrize("command", COMMANDS)
def test_one_line_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["ferflow", *command.split()])
    with pytest.raises(
        SystemExit,
        match=r"^error: no (dvc|params)\.yaml in /[^\n]*: not a Ferflow workspace; `ferflow init "
        r"FOLDER` makes one$",
    ):
        main()
    assert list(tmp_path.iterdir()) == []


def test_init_makes_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["ferflow", "init", "ws"])
    main()
    assert capsys.readouterr().out.startswith("ws is a workspace: `cd ws`, `ferflow add ")
    for name in ("dvc.yaml", "params.yaml", "presets/cpu.yaml", ".dvc/config", ".git/HEAD"):
        assert (tmp_path / "ws" / name).is_file()
    with pytest.raises(SystemExit, match=r"^error: ws is not empty"):
        main()
