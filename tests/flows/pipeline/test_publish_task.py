"""The flow on a tiny workspace whose stages copy finished reports: published, held back, told of."""

import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from flows.publishing.runs import latest_run
from flows.publishing.storage import Destination
from flows.workspace.client import commit
from tests.support.flows.report_site import write_reports
from tests.support.flows.tiny_graph import FLOWS, make_line
from tests.support.servers.prefect import Server
from tests.support.servers.webhook import receiving

pytestmark = pytest.mark.timeout(900)
OUTPUTS = {
    "validate": ["reports/validate"],
    "review_queue": ["data/review_queue/suspects.csv", "data/review_queue/neighbors.parquet"],
    "evaluate": ["reports/evaluate/${item.model}"],
    "report": ["reports/index.html", "reports/metrics.json"],
    "quality_report": ["reports/data_quality/index.html"],
}
NUM_STAGES = 6


def copying(*outputs: str) -> dict[str, Any]:
    """A stage that takes its outputs from the folder `made`."""
    copies = [f"mkdir -p {Path(out).parent} && cp -r made/{out} {out}" for out in outputs]
    return {
        "cmd": " && ".join(copies),
        "deps": [f"made/{out}" for out in outputs],
        "outs": list(outputs),
    }


@pytest.fixture
def line(tmp_path: Path) -> Path:
    stages = {name: copying(*outputs) for name, outputs in OUTPUTS.items()}
    stages["review_queue"]["deps"].append("data/relabels.csv")
    stages["evaluate"]["matrix"] = {"model": ["scratch", "ensemble"]}
    folder = make_line(tmp_path / "line", stages)
    configure(folder, destination="../site")
    write_reports(folder / "made")
    pd.DataFrame({"path": []}).to_parquet(folder / "made/data/review_queue/neighbors.parquet")
    (folder / "data").mkdir(exist_ok=True)
    shutil.copy(folder / "made/data/relabels.csv", folder / "data")
    commit(folder, "Make reports")
    return folder


def configure(line: Path, *, destination: str | None, webhook: str | None = None) -> None:
    params = {
        "data": {"expressions": ["happy", "sad"]},
        "flows": FLOWS,
        "publish": {"destination": destination, "webhook": webhook},
        "report": {"models": ["scratch", "ensemble"]},
    }
    (line / "params.yaml").write_text(yaml.safe_dump(params))


def latest(line: Path) -> str | None:
    return latest_run(Destination("../site", workspace=line))


def test_a_green_run_is_published_and_a_worse_one_is_held_back(
    prefect_server: Server, line: Path
) -> None:
    finished = prefect_server.rebuild(line)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    run = prefect_server.run_of(finished)
    first = latest(line)
    assert str(first).endswith(f"-{run['name']}")
    assert f"{first} is the latest run, after none" in run["state"]["message"]
    assert (line / f"../site/runs/{first}/data_quality/index.html").is_file()
    artifacts = prefect_server.rows("artifacts", flow_runs={"id": {"any_": [run["id"]]}})
    assert {one["key"] for one in artifacts} == {
        "evaluation", "metrics", "data-quality", "models-report", "data-report",
    }  # fmt: skip
    assert prefect_server.states(run, expected=NUM_STAGES + 1)["publish"] == "Completed"

    finished = prefect_server.rebuild(line)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    run = prefect_server.run_of(finished)
    assert run["state"]["message"].startswith(
        "nothing changed: 6 stages are up to date; nothing new"
    )

    write_reports(line / "made", scratch=0.74)
    finished = prefect_server.rebuild(line)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    run = prefect_server.run_of(finished)
    assert run["state"]["name"] == "Held back"
    assert "validation accuracy of scratch: 0.8100 -> 0.7500" in run["state"]["message"]
    assert latest(line) == first
    held_back = run["name"]

    finished = prefect_server.rebuild(line, "--force")
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert prefect_server.run_of(finished)["state"]["name"] == "Completed"
    # Its reports are stored already: that run becomes the latest.
    assert str(latest(line)).endswith(f"-{held_back}")


def test_a_destination_that_refuses_fails_the_run_and_is_told(
    prefect_server: Server, line: Path
) -> None:
    (line / "../site").write_text("no folder")
    with receiving() as receiver:
        configure(line, destination="../site", webhook=receiver.address)
        finished = prefect_server.rebuild(line)
        (message,) = receiver.messages
    assert finished.returncode == 1
    assert "6 of 6 stages rebuilt" in finished.stderr
    assert "site cannot be published to: NotADirectoryError" in finished.stderr
    assert "cannot be published to" in str(message["reason"])
    run = prefect_server.run_of(finished)
    assert message["run"] == run["name"]
    assert prefect_server.states(run, expected=NUM_STAGES + 1)["publish"] == "Failed"
    tasks = prefect_server.rows("task_runs", flow_runs={"id": {"any_": [run["id"]]}})
    assert {one["name"]: one["run_count"] for one in tasks}["publish"] == 1 + FLOWS["retries"]


def test_an_experiment_is_not_published(prefect_server: Server, line: Path) -> None:
    assert prefect_server.rebuild(line, "--set", "flows.cpu_slots=2").returncode == 0
    assert not (line / "../site").exists()
