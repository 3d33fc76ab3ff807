"""The programs of tests that are copies of one process: they begin and end as new processes do."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.support.warm.programs import kill, warm_programs

SLEEPING = "import os, time; print(os.getpid(), flush=True); time.sleep(1000)"


def run(*words: str, stdin: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **variables}
    command = [warm_programs() / "python", *words]
    return subprocess.run(
        command, input=stdin, env=environment, capture_output=True, text=True, check=False
    )


def test_input_output_and_exit_code_are_the_program_s() -> None:
    finished = run("-m", "json.tool", stdin='{"a": 1}')
    assert (finished.returncode, finished.stdout) == (0, '{\n    "a": 1\n}\n')
    finished = run("-m", "json.tool", stdin="{")
    assert finished.returncode == 1
    assert "Expecting property name" in finished.stderr


def test_folder_words_and_variables_are_the_program_s(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "own.py").write_text(
        "import os, sys; print(os.getcwd(), sys.argv[1:], os.environ['ONLY_HERE'])\n"
        "import fer_data; assert 'tensorflow' in sys.modules; sys.exit('no more')"
    )
    monkeypatch.chdir(tmp_path)
    finished = run("-m", "own", "--flag", "two words", ONLY_HERE="yes")
    assert finished.stdout == f"{tmp_path} ['--flag', 'two words'] yes\n"
    assert (finished.returncode, finished.stderr) == (1, "no more\n")


def test_code_begins_in_a_new_process() -> None:
    code = "import sys; print(sys.executable, 'tensorflow' in sys.modules)"
    assert run("-c", code).stdout == f"{sys.executable} False\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, None])
def test_none_outlives_the_one_who_asked(tmp_path: Path, number: int | None) -> None:
    """By a signal that is passed on, by one that cannot be, and by `kill`."""
    (tmp_path / "sleeping.py").write_text(SLEEPING)
    command = [warm_programs() / "python", "-m", "sleeping"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        copy = psutil.Process(int(process.stdout.readline()))
        if number is None:
            kill(process)
            assert not copy.is_running()
        else:
            process.send_signal(number)
            copy.wait(30)
    assert process.returncode == -(number or signal.SIGKILL)
