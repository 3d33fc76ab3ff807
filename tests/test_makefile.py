"""What `make` passes on of what was typed, with commands that only print it."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project that is set up, whose commands print a line a word."""
    # Under `make test`, these would have the inner `make` print which folders it enters.
    for name in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS"):
        monkeypatch.delenv(name, raising=False)
    for name in ("pyproject.toml", "constraints.txt"):
        (tmp_path / name).touch()
    shutil.copyfile(ROOT / "Makefile", tmp_path / "Makefile")
    (tmp_path / ".venv/bin").mkdir(parents=True)
    for name in ("ferflow", "dvc", "python"):
        script = tmp_path / ".venv/bin" / name
        script.write_text(f'#!/bin/sh\nprintf "%s\\n" {name} "$@"\n')
        script.chmod(0o755)
    (tmp_path / ".venv/.installed").touch()
    return tmp_path


@pytest.mark.parametrize("name", ["plain.h5", "with  two spaces.h5", "a$b(c) 'd'.h5", "x;touch y"])
def test_a_path_arrives_as_it_was_typed(folder: Path, name: str) -> None:
    words = [f"ARCHIVE={name}", f"PRESET={name}", f"WEIGHTS=mobilenetv2 {name}"]
    done = subprocess.run(
        ["make", "repro", *words], cwd=folder, capture_output=True, text=True, check=True
    )
    lines = ["ferflow", "add", name, "ferflow", "preset", name]
    lines += ["ferflow", "set-weights", "mobilenetv2", name, "dvc", "repro"]
    assert done.stdout.splitlines() == lines
    assert not (folder / "y").exists()


def test_a_tilde_of_weights_is_the_home(folder: Path, monkeypatch) -> None:
    monkeypatch.setenv("HOME", "/of ann")
    done = subprocess.run(
        ["make", "repro", "WEIGHTS=compact ~/some weights.h5"],
        cwd=folder, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "/of ann/some weights.h5" in done.stdout.splitlines()


def test_nothing_typed_is_nothing_passed_on(folder: Path) -> None:
    done = subprocess.run(["make", "repro"], cwd=folder, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["dvc", "repro"]
