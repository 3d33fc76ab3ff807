"""What `make` passes on of what was typed, with commands that only print it."""

import os
import re
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


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone that is not set up, with a Python whose pip writes down what it is asked for."""
    for name in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "UV"):
        monkeypatch.delenv(name, raising=False)
    clone = tmp_path / "a clone"
    (clone / ".ci").mkdir(parents=True)
    for name in ("Makefile", "pyproject.toml", "constraints.txt", ".ci/install"):
        shutil.copy(ROOT / name, clone / name)
    script = f"""#!/bin/sh
case "$*" in
    "-m venv --clear .venv") mkdir -p .venv/bin && cp "$0" .venv/bin/python;;
    "-m pip install "*) shift 2; echo pip "$@" >> "{tmp_path}/said"; [ "${{*##* }}" != uv ];;
esac
"""
    for name, text in (("python3", script), ("nvidia-smi", "#!/bin/sh\nexit 1\n")):
        write_program(tmp_path / "bin" / name, text)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin{os.pathsep}/usr/bin{os.pathsep}/bin")
    return clone


def write_program(file: Path, text: str) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    file.chmod(0o755)


def set_up(clone: Path, *words: str) -> tuple[list[str], str]:
    """What installers were asked for, without what they are always asked for; the last line printed."""
    done = subprocess.run(
        ["make", "setup", *words], cwd=clone, capture_output=True, text=True, check=True
    )
    said = (clone.parent / "said").read_text().splitlines()
    usual = "--quiet --disable-pip-version-check --constraint constraints.txt "
    return [line.replace(usual, "") for line in said], done.stdout.splitlines()[-1]


WHOLE = "--editable .[cpu,dev]"


@pytest.mark.parametrize("code", [0, 1], ids=["works", "fails"])
def test_uv_installs_and_pip_where_it_fails(bare: Path, code: int) -> None:
    script = f'#!/bin/sh\nshift; echo uv "$@" >> "{bare.parent}/said"; exit {code}\n'
    write_program(bare.parent / "bin/uv", script)
    said, last = set_up(bare)
    by_uv = f"uv install --quiet --python .venv/bin/python --constraint constraints.txt {WHOLE}"
    assert said == [by_uv, f"pip install {WHOLE}"][: 1 + code]
    assert re.fullmatch(rf".venv: set up by {('uv', 'pip')[code]} in \d+ s", last)


def test_pip_installs_where_it_finds_no_uv_and_where_it_is_asked_to(bare: Path) -> None:
    assert set_up(bare)[0] == ["pip install uv", f"pip install {WHOLE}"]
    (bare.parent / "said").unlink()
    (bare / ".venv/.installed").unlink()
    assert set_up(bare, "UV=", "EXTRAS=all")[0] == ["pip install --editable .[cpu,all]"]


def test_uv_is_told_of_the_sources_of_pip(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://index.example/simple")
    monkeypatch.setenv("PIP_FIND_LINKS", "/wheels /more")
    for name in ("UV_DEFAULT_INDEX", "UV_FIND_LINKS"):
        monkeypatch.delenv(name, raising=False)
    script = f'#!/bin/sh\necho "$UV_DEFAULT_INDEX $UV_FIND_LINKS" >> "{bare.parent}/said"\n'
    write_program(bare.parent / "bin/uv", script)
    assert set_up(bare)[0] == ["https://index.example/simple /wheels,/more"]
