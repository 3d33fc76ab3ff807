import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from flows.cli.main import main

ROOT = Path(__file__).parents[3]
MANY = str(10**12)


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> None:
    monkeypatch.setattr(sys, "argv", ["ferflow", *words])
    main()


def test_sample_writes_the_archive_and_its_key(tmp_path: Path, monkeypatch, capsys) -> None:
    run(monkeypatch, "sample", str(tmp_path / "faces.zip"), "--faces", "200", "--seed", "3")
    assert len(zipfile.ZipFile(tmp_path / "faces.zip").namelist()) == 202
    key = pd.read_csv(tmp_path / "faces.planted.csv")
    assert {"path", "error"} <= set(key.columns)
    assert f"{len(key)} planted errors" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["faces.zip", "faces.planted.csv"])
@pytest.mark.parametrize("content", ["a download", "path,notes\n", ""])
def test_sample_replaces_only_what_it_wrote(tmp_path: Path, monkeypatch, name, content) -> None:
    words = ("sample", str(tmp_path / "faces.zip"), "--faces", "120")
    (tmp_path / name).write_text(content)
    message = (
        rf"^error: .*{name} is there already, and is not what `ferflow sample` writes: [^\n]*$"
    )
    with pytest.raises(SystemExit, match=message):
        run(monkeypatch, *words)
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {name: content}
    run(monkeypatch, *words, "--force")
    assert len(zipfile.ZipFile(tmp_path / "faces.zip").namelist()) == 122
    run(monkeypatch, *words, "--seed", "1")  # its own, by now


def test_sample_replaces_the_key_of_an_earlier_version(tmp_path: Path, monkeypatch) -> None:
    key = tmp_path / "faces.planted.csv"
    key.write_text("path,fault,label,true_label,partner\n")
    run(monkeypatch, "sample", str(tmp_path / "faces.zip"), "--faces", "120")
    assert key.read_text().startswith("path,error,")


def test_sample_keeps_a_zip_of_others(tmp_path: Path, monkeypatch) -> None:
    with zipfile.ZipFile(tmp_path / "archive.zip", "w") as archive:
        archive.writestr("Training/Angry/a.jpg", b"face")
    before = (tmp_path / "archive.zip").read_bytes()
    with pytest.raises(SystemExit, match="is not what `ferflow sample` writes"):
        run(monkeypatch, "sample", str(tmp_path / "archive.zip"), "--faces", "120")
    assert (tmp_path / "archive.zip").read_bytes() == before


def test_a_demo_looks_at_its_workspace_before_it_draws(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    monkeypatch.setattr("fer_data.synthetic.drawn_archive.write_sample", None)
    for path, message in ((tmp_path, "is not empty"), (tmp_path / "thesis.txt", "is a file")):
        with pytest.raises(SystemExit, match=rf"^error: .* {message}: name a folder"):
            run(monkeypatch, "demo", "--workspace", str(path))


def type_in_shell(line: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    command = line.replace("ferflow", f"{sys.executable} -m flows.cli.main")
    return subprocess.run(
        ["bash", "-c", command], cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "ferflow sample file/faces.zip --faces 120",
            r"^error: (Not a directory|File exists): .*f",
        ),
        ("ferflow sample $(printf 'f%0300d' 1) --faces 120", r"^error: File name too long: f0+"),
        pytest.param(
            "ferflow preset scratch_tuned > /dev/full",
            r"^error: No space left on device: while ",
            marks=pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has it"),
        ),
        ("ferflow preset $'caf\\xe9/x'", r"^error: no preset 'caf\\xe9/x'"),
    ],
    ids=["a file above", "a long name", "a full disk", "bytes"],
)
def test_an_error_of_the_system_is_one_line(tmp_path: Path, line: str, message: str) -> None:
    for name in ("params.yaml", "presets/scratch_tuned.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(ROOT / name, tmp_path / name)
    (tmp_path / "file").touch()
    finished = type_in_shell(line, tmp_path)
    assert finished.returncode == 1
    assert re.search(message, finished.stderr), finished.stderr
    assert finished.stderr.count("\n") == 1


def test_a_reader_that_has_gone_ends_it_quietly(tmp_path: Path) -> None:
    shutil.copyfile(ROOT / "params.yaml", tmp_path / "params.yaml")
    finished = type_in_shell("ferflow label-studio-config | true; exit ${PIPESTATUS[0]}", tmp_path)
    assert (finished.returncode, finished.stderr) == (141, "")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["sample", "faces.zip", "--faces", "3"], r"^error: .*3"),
        (["demo", "--workspace", "w", "--faces", "300"], r"^error: a demo of 300 .*: expected 500"),
        (["demo", "--workspace", "w", "--faces", MANY], r"^error: 1,000,.* too many .* 500,000"),
        (["sample", "faces.zip", "--faces", MANY], r"^error: 1,000,000,000,000 faces are too many"),
        (["add", "absent.zip"], r"^error: no params\.yaml in"),
    ],
)
def test_a_mistake_is_one_line_and_an_exit_code(tmp_path, monkeypatch, words, message) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=message) as exit_info:
        run(monkeypatch, *words)
    assert "\n" not in str(exit_info.value)
    assert list(tmp_path.iterdir()) == []
