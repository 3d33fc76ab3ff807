"""The flow on tiny workspaces, seen from the command line and from a real server."""

import signal
import time
from pathlib import Path

import psutil
import pytest
import yaml

from fer_data.core.errors import UserError
from flows.pipeline.flow import overrides_of
from tests.support.flows.tiny_graph import FLOWS, fan, make_line, stage, write
from tests.support.flows.typed_commands import call, ok, repro
from tests.support.servers.prefect import PATIENCE, Server
from tests.support.servers.processes import FERFLOW

pytestmark = pytest.mark.timeout(1500)

STAGES = ["first", "part@0", "part@1", "part@2", "part@3", "last"]
WAIT_FOR_ALL = (
    'import pathlib, time; here = pathlib.Path(".."); (here / "here-${item.part}").touch(); '
    '[time.sleep(0.05) for _ in iter(lambda: len([*here.glob("here-*")]) < 4, False)]'
)
"""Serially, no part would ever end: each waits for a file of every other."""


def locked(line: Path) -> set[str]:
    return set(yaml.safe_load((line / "dvc.lock").read_text())["stages"])


def test_stages_are_tasks_side_by_side_and_unchanged_ones_are_cached(
    prefect_server: Server, tmp_path: Path
) -> None:
    stages = fan()
    part = write("part-${item.part}", after=WAIT_FOR_ALL)
    stages["part"]["cmd"] = f"python -c '{part}'"
    line = make_line(tmp_path / "line", stages)
    finished = prefect_server.rebuild(line)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    run = prefect_server.run_of(finished)
    assert prefect_server.states(run, expected=6) == dict.fromkeys(STAGES, "Completed")
    assert run["state"]["message"] == f"6 of 6 stages rebuilt: {', '.join(STAGES)}"
    assert locked(line) == set(STAGES)
    assert repro(line) == []
    assert "Running stage 'part@2':" in prefect_server.log(run, containing="part@2':")

    retention = {"keep_days": 1, "clean_after_flow": True, "min_free_gb": 1e9}
    (line / "params.yaml").write_text(yaml.safe_dump({"flows": FLOWS, "retention": retention}))
    finished = prefect_server.rebuild(line)
    run = prefect_server.run_of(finished)
    assert prefect_server.states(run, expected=6) == dict.fromkeys(STAGES, "Cached")
    assert "(retention.min_free_gb); `ferflow clean --dry-run`" in finished.stdout + finished.stderr
    assert prefect_server.log(run, containing="cleaned: nothing was old and unneeded")
    assert run["state"]["message"] == "nothing changed: 6 stages are up to date"
    assert "stage 'part@" not in finished.stdout + finished.stderr  # no `dvc repro` of its own


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
    states = prefect_server.states(prefect_server.run_of(finished), expected=6)
    parts = dict.fromkeys(STAGES[1:5], "Failed")
    assert states == {"first": "Completed", **parts, "last": "NotReady"}
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
    run = prefect_server.run_of(finished)
    assert prefect_server.states(run, expected=1) == {"only": "Completed"}
    (task,) = prefect_server.rows("task_runs", flow_runs={"id": {"any_": [run["id"]]}})
    assert task["run_count"] == 2


def processes_in(folder: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.cwd().startswith(str(folder)):
                found.append(process)
        except psutil.Error:
            continue
    return found


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_an_ended_flow_ends_its_stages_and_the_next_one_goes_on(
    prefect_server: Server, tmp_path: Path, number: signal.Signals
) -> None:
    """The first run hangs in `part`; a file that the test then makes lets the next one through."""
    hang = 'import pathlib, time; pathlib.Path("../go").exists() or time.sleep(1000)'
    stages = fan()
    stages["part"]["cmd"] = f"python -c '{write('part-${item.part}', after=hang)}'"
    line = make_line(tmp_path / "line", stages)
    with prefect_server.rebuilding(line) as flow:
        try:
            assert flow.stdout
            while "Running stage 'part@" not in flow.stdout.readline():
                assert flow.poll() is None
            flow.send_signal(number)
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
    states = prefect_server.states(prefect_server.run_of(finished), expected=6)
    assert states == {**dict.fromkeys(STAGES, "Completed"), "first": "Cached"}
    assert repro(line) == []


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


def test_a_mistake_is_one_line(prefect_server: Server, tmp_path: Path) -> None:
    line = make_line(tmp_path / "line", fan())
    finished = prefect_server.rebuild(line, "--models", "resnet")
    assert finished.returncode == 1
    assert finished.stderr.splitlines()[-1].startswith("error: no model resnet: expected some of")
    assert "Traceback" not in finished.stdout + finished.stderr


def test_a_mistyped_override_is_one_line_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "dvc.yaml").write_text("stages: {}")
    (tmp_path / "params.yaml").write_text("{}")
    finished = call(tmp_path, FERFLOW, "run", "--set", "oven")
    assert finished.returncode == 1
    assert finished.stderr == (
        "error: --set oven: expected KEY=VALUE, such as models.scratch.epochs=5\n"
    )


def test_values_of_overrides_are_yaml() -> None:
    assert overrides_of(["a.b=1", "a.c=[1, x]", "d=null"]) == {
        "a": {"b": 1, "c": [1, "x"]},
        "d": None,
    }
    assert overrides_of(["a.rate=1e-3", "a.xla=off"]) == {"a": {"rate": 0.001, "xla": "off"}}
    with pytest.raises(UserError, match="the value is not YAML"):
        overrides_of(["a=["])


@pytest.mark.parametrize("words", [["a.b=5", "a.b.c=6"], ["a.b.c=6", "a.b=5"]])
def test_overrides_that_contradict_each_other_are_one_line(words: list[str]) -> None:
    with pytest.raises(UserError, match="another --set"):
        overrides_of(words)
