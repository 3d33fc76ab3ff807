"""The flow on tiny workspaces, seen from the command line and from a real server."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import yaml

from fer_data.stage import UserError
from flows.rebuild import overrides_of
from tests.end_to_end.commands import ok, repro
from tests.flows.lines import FLOWS, fan, make_line, stage, write
from tests.prefect_server import PATIENCE, Server

pytestmark = pytest.mark.timeout(900)
STAGES = ["first", "part@0", "part@1", "part@2", "part@3", "last"]


def settings(**changes: object) -> dict[str, object]:
    return {"flows": {**FLOWS, **changes}}


def locked(line: Path) -> set[str]:
    return set(yaml.safe_load((line / "dvc.lock").read_text())["stages"])


def test_every_stage_is_a_task_of_its_name(prefect_server: Server, tmp_path: Path) -> None:
    line = make_line(tmp_path / "line", fan())
    finished = prefect_server.rebuild(line)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    run = prefect_server.latest_run()
    assert prefect_server.states(run, expected=6) == dict.fromkeys(STAGES, "Completed")
    assert run["state"]["message"] == f"6 of 6 stages rebuilt: {', '.join(STAGES)}"
    assert locked(line) == set(STAGES)
    assert repro(line) == []
    assert "Running stage 'part@2':" in prefect_server.log(run, containing="part@2':")


def test_what_did_not_change_is_cached(prefect_server: Server, tmp_path: Path) -> None:
    line = make_line(tmp_path / "line", fan())
    repro(line)
    started = time.monotonic()
    assert prefect_server.rebuild(line).returncode == 0
    run = prefect_server.latest_run()
    assert prefect_server.states(run, expected=6) == dict.fromkeys(STAGES, "Cached")
    assert run["state"]["message"] == "nothing changed: 6 stages are up to date"
    assert not any("stage 'part" in text for text in prefect_server.log(run, containing="Finished"))
    assert time.monotonic() - started < PATIENCE


def test_stages_run_side_by_side_and_their_log_lines_come_live(
    prefect_server: Server, tmp_path: Path
) -> None:
    """Each part waits for a file of every other part: serially, none of them would ever end."""
    wait = (
        'import pathlib, time; pathlib.Path("../here-${item.part}").touch(); '
        'here = lambda: len(list(pathlib.Path("..").glob("here-*"))); '
        "[time.sleep(0.05) for _ in iter(lambda: here() < 4, False)]"
    )
    stages = fan()
    stages["part"]["cmd"] = f'python -c \'{wait}; open("part-${{item.part}}", "w")\''
    line = make_line(tmp_path / "line", stages)
    finished = prefect_server.rebuild(line)
    assert finished.returncode == 0, finished.stdout + finished.stderr


def test_what_cannot_pass_is_not_tried_again_and_what_lies_below_does_not_run(
    prefect_server: Server, tmp_path: Path
) -> None:
    stages = fan()
    bad = 'open("../tries", "a").write("x"); raise SystemExit("error: a bad setting")'
    stages["part"]["cmd"] = f"python -c '{bad}'"
    line = make_line(tmp_path / "line", stages)
    finished = prefect_server.rebuild(line)
    assert finished.returncode == 1
    assert "error: 4 of 6 stages failed: part@0: a bad setting; part@1:" in finished.stderr
    assert "Traceback" not in finished.stdout + finished.stderr
    states = prefect_server.states(prefect_server.latest_run(), expected=6)
    assert (states["first"], states["part@0"], states["last"]) == (
        *("Completed", "Failed", "NotReady"),
    )
    assert (tmp_path / "tries").read_text() == "xxxx"


def test_a_killed_stage_is_tried_again(prefect_server: Server, tmp_path: Path) -> None:
    once = (
        'import os, pathlib; tried = pathlib.Path("../tried"); again = tried.exists(); tried.touch(); '
        "again or os.kill(os.getpid(), 9)"
    )
    only = {"only": stage(write("only", after=once), deps=["source"], outs=["only"])}
    line = make_line(tmp_path / "line", only)
    finished = prefect_server.rebuild(line)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    run = prefect_server.latest_run()
    assert prefect_server.states(run, expected=1) == {"only": "Completed"}
    (task,) = prefect_server.rows("task_runs", flow_runs={"id": {"any_": [run["id"]]}})
    assert task["run_count"] == 2


def test_a_stage_that_hangs_is_ended(prefect_server: Server, tmp_path: Path) -> None:
    hanging = {"only": stage("import time; time.sleep(600)", deps=["source"], outs=["only"])}
    line = make_line(tmp_path / "line", hanging, params=settings(timeout_minutes=0.05, retries=0))
    finished = prefect_server.rebuild(line)
    assert finished.returncode == 1
    assert "only: ended after 0.05 minutes (flows.timeout_minutes)" in finished.stderr
    assert not processes_in(line)


def processes_in(folder: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.cwd().startswith(str(folder)):
                found.append(process)
        except psutil.Error:
            continue
    return found


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_an_ended_flow_ends_its_stages_and_the_next_one_goes_on(
    prefect_server: Server, tmp_path: Path, number: signal.Signals
) -> None:
    """The first run hangs in `part`; the file that the test then writes lets the next run through."""
    hang = 'import pathlib, time; pathlib.Path("../go").exists() or time.sleep(600)'
    stages = fan()
    stages["part"] |= stage(
        write("part-${item.part}", after=hang), deps=["first"], outs=["part-${item.part}"]
    )
    line = make_line(tmp_path / "line", stages)
    with subprocess.Popen(
        [sys.executable, "-m", "flows.rebuild"],
        cwd=line,
        env=prefect_server.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as flow:
        try:
            assert flow.stdout
            for text in flow.stdout:
                if "Running stage 'part@" in text:
                    break
            os.kill(flow.pid, number)
            flow.communicate(timeout=PATIENCE)
        finally:
            flow.kill()
    assert flow.returncode != 0
    deadline = time.monotonic() + PATIENCE
    while processes_in(line) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert processes_in(line) == []
    (tmp_path / "go").touch()
    finished = prefect_server.rebuild(line)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert prefect_server.states(prefect_server.latest_run(), expected=6)["first"] == "Cached"
    assert repro(line) == []


def test_one_flow_at_a_time_in_a_workspace(prefect_server: Server, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "flows.rebuild"]
    call = f"import subprocess, sys; sys.exit(subprocess.run({words!r}).returncode)"
    script = tmp_path / "again.py"
    script.write_text(call)
    only = {"only": {"cmd": f"python {script}", "deps": ["source"], "outs": ["only"]}}
    line = make_line(tmp_path / "line", only, params=settings(retries=0))
    finished = prefect_server.rebuild(line)
    assert finished.returncode == 1
    assert f"a flow runs in {line} already, as process" in finished.stderr


def test_overrides_run_in_a_clone_and_become_an_experiment(
    prefect_server: Server, tmp_path: Path
) -> None:
    copy = 'import yaml; open("only", "w").write(str(yaml.safe_load(open("params.yaml"))["oven"]))'
    only = {"only": stage(copy, deps=["source"], outs=["only"], params=["oven"])}
    line = make_line(tmp_path / "line", only, params={"oven": {"degrees": 180}})
    repro(line)
    before = {path: (line / path).read_bytes() for path in ("params.yaml", "dvc.lock", "only")}
    finished = prefect_server.rebuild(line, "--set", "oven.degrees=200")
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert {path: (line / path).read_bytes() for path in before} == before
    assert list((line / ".dvc/tmp/flows").iterdir()) == []
    name = ok(line, "dvc", "exp", "list", "--name-only").strip()
    ok(line, "dvc", "exp", "apply", name)
    assert (line / "only").read_text() == "{'degrees': 200}"
    assert "degrees: 200" in (line / "params.yaml").read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--set", "oven.degrees=200"], "sets 'oven', which params.yaml does not have"),
        (["--set", "oven"], "--set oven: expected KEY=VALUE"),
        (["--models", "resnet"], "no model resnet: expected some of"),
    ],
)
def test_a_mistake_is_one_line(
    prefect_server: Server, tmp_path: Path, words: list[str], message: str
) -> None:
    finished = prefect_server.rebuild(make_line(tmp_path / "line", fan()), *words)
    assert finished.returncode == 1
    assert message in finished.stderr.splitlines()[-1]
    assert "Traceback" not in finished.stdout + finished.stderr


def test_values_of_overrides_are_yaml() -> None:
    assert overrides_of(["a.b=1", "a.c=[1, x]", "d=null"]) == {
        "a": {"b": 1, "c": [1, "x"]},
        "d": None,
    }
    with pytest.raises(UserError, match="the value is not YAML"):
        overrides_of(["a=["])
