import subprocess
import sys
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from flows.cli import main


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> None:
    monkeypatch.setattr(sys, "argv", ["ferflow", *words])
    main()


def test_sample_writes_the_archive_and_its_key(tmp_path: Path, monkeypatch, capsys) -> None:
    run(monkeypatch, "sample", str(tmp_path / "faces.zip"), "--faces", "200", "--seed", "3")
    assert len(zipfile.ZipFile(tmp_path / "faces.zip").namelist()) == 202
    key = pd.read_csv(tmp_path / "faces.planted.csv")
    assert {"path", "fault"} <= set(key.columns)
    assert f"{len(key)} planted faults" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["sample", "faces.zip", "--faces", "3"], r"^error: .*3"),
        (["add", "absent.zip"], r"^error: no params\.yaml in"),
    ],
)
def test_a_mistake_is_one_line_and_an_exit_code(tmp_path, monkeypatch, words, message) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=message) as exit_info:
        run(monkeypatch, *words)
    assert "\n" not in str(exit_info.value)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_verb_lists_those_that_there_are(monkeypatch, capsys) -> None:
    with pytest.raises(SystemExit):
        run(monkeypatch, "nap")
    assert "demo" in capsys.readouterr().err


def test_help_imports_no_room() -> None:
    code = (
        "import sys; from flows.cli import _parser; _parser(); "
        "print([name for name in ('tensorflow', 'pandas', 'great_expectations') if name in sys.modules])"
    )
    finished = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert finished.stdout.strip() == "[]"
