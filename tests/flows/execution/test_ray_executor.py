"""The flow on a Ray cluster of several nodes on loopback, with pretended GPUs."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from flows.execution.executors import ray_variables
from flows.execution.ray_worker import NODE_FOLDER
from tests.flows.execution.test_local_executor import FAKE_TENSORFLOW
from tests.support.flows.tiny_graph import FLOWS, fan, make_line, write
from tests.support.flows.typed_commands import ok, repro
from tests.support.servers.prefect import PATIENCE, Server

os.environ.update(ray_variables(None))  # which Ray reads while it is imported
cluster_utils = pytest.importorskip("ray.cluster_utils")
ray_executor = pytest.importorskip("flows.execution.ray_executor")

pytestmark = pytest.mark.timeout(1800)

LOOPBACK = "127.0.0.1"
PARTS = ["part@0", "part@1", "part@2", "part@3"]


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A head without a GPU, which would be the coordinator's machine."""
    monkeypatch.setenv(NODE_FOLDER, str(tmp_path / "node"))
    head = {"num_cpus": 1, "num_gpus": 0, "node_ip_address": LOOPBACK, "include_dashboard": False}
    cluster = cluster_utils.Cluster(initialize_head=True, head_node_args=head)
    try:
        yield cluster
    finally:
        cluster.shutdown()


def make(folder: Path, address: str, tmp_path: Path) -> Path:
    """A workspace with a remote, whose parts want a GPU, leave a note, and wait while `hold` exists."""
    note = (
        f'import os, pathlib, time; there = pathlib.Path("{tmp_path}"); '
        '(there / f"ran-${item.part}-{os.getpid()}").touch(); '
        '[time.sleep(0.1) for _ in iter((there / "hold").exists, False)]'
    )
    stages = fan()
    stages["part"]["cmd"] = f"python -c '{write('part-${item.part}', after=note)}'"
    stages["part"]["meta"] = {"gpu": True}
    params = {"flows": FLOWS | {"ray_address": address, "retries": 5}}
    line = make_line(folder, stages, params=params)
    (line / "tensorflow.py").write_text(FAKE_TENSORFLOW.replace("{cards}", "('0', '1')"))
    ok(line, "git", "add", "tensorflow.py")  # else no node gets it
    ok(line, "dvc", "remote", "add", "--default", "store", str(tmp_path / "store"))
    return line


def notes(folder: Path) -> list[str]:
    """The parts that began, as often as they did."""
    return sorted(f"part@{file.name.split('-')[1]}" for file in folder.glob("ran-*"))


def pids(folder: Path) -> list[int]:
    return [int(file.name.split("-")[2]) for file in folder.glob("ran-*")]


def wait_for(done: Callable[[], bool], flow: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not done():
        assert flow.poll() is None, flow.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.2)


def listening(cluster: Any) -> set[str]:
    """The addresses on which the cluster's processes listen."""
    session = Path(cluster.head_node.get_session_dir_path()).name
    found = set()
    for process in psutil.process_iter():
        try:
            if any(session in word for word in process.cmdline()):
                sockets = process.net_connections("inet")
                found |= {one.laddr.ip for one in sockets if one.status == psutil.CONN_LISTEN}
        except psutil.Error:
            continue
    return found


def test_a_node_that_is_killed_costs_one_stage_another_run(
    prefect_server: Server, cluster: Any, tmp_path: Path
) -> None:
    for _ in range(2):
        cluster.add_node(num_cpus=2, num_gpus=1, node_ip_address=LOOPBACK)
    doomed = cluster.list_all_nodes()[-1]
    line = make(tmp_path / "line", cluster.address, tmp_path)
    (tmp_path / "hold").touch()
    with prefect_server.rebuilding(line, "--executor", "ray") as flow:
        try:
            wait_for(lambda: len(notes(tmp_path)) == 2, flow)
            addresses = listening(cluster)
            cluster.remove_node(doomed, allow_graceful=False)
            wait_for(lambda: sum(map(psutil.pid_exists, pids(tmp_path))) == 1, flow)
            (tmp_path / "hold").unlink()
            printed, _ = flow.communicate(timeout=PATIENCE)
        finally:
            flow.kill()
    assert flow.returncode == 0, printed
    assert "its Ray node was lost" in printed
    began = notes(tmp_path)
    assert sorted(set(began)) == PARTS
    assert len(began) == 5  # each once, and that of the killed node twice: none for the coordinator
    run = prefect_server.run_of(subprocess.CompletedProcess([], 0, printed, ""))
    states = prefect_server.states(run, expected=6)
    assert states == dict.fromkeys(["first", *PARTS, "last"], "Completed")
    assert repro(line) == []
    assert {address.removeprefix("::ffff:") for address in addresses} == {LOOPBACK}


def test_a_workspace_without_a_remote_is_refused(tmp_path: Path) -> None:
    line = make_line(tmp_path / "line", fan())
    with pytest.raises(ray_executor.UserError, match="travel by a DVC remote, and there is none"):
        ray_executor.check_remote(line)


def test_a_cluster_that_is_not_there_is_refused() -> None:
    with pytest.raises(ray_executor.UserError, match=r"no Ray cluster at 127\.0\.0\.1:9"):
        ray_executor.join("127.0.0.1:9")


@pytest.mark.parametrize(
    ("nodes", "asked"),
    [
        ([{"CPU": 8, "GPU": 2}, {"CPU": 4}], {"num_gpus": 1}),
        ([{"CPU": 8}, {"CPU": 6}], {"num_cpus": 3}),
        ([{"CPU": 1}], {"num_cpus": 1}),
    ],
)
def test_a_stage_asks_for_a_gpu_or_a_share_of_a_node(nodes: list, asked: dict) -> None:
    assert ray_executor.needs(nodes, num_slots=2) == asked
