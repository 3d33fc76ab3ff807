"""Whether the disks have room for a run."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from fer_data.core.errors import UserError
from flows.housekeeping import free_space
from flows.housekeeping.free_space import space_warning


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace whose two stages made 300 MB and 30 MB, and which wants 1 GB to be free."""
    outs = {
        "train@scratch": [{"size": 200_000_000}, {"size": 100_000_000}],
        "split": [{"size": 3e7}],
    }
    lock = {"stages": {name: {"outs": sizes} for name, sizes in outs.items()}}
    (tmp_path / "dvc.lock").write_text(yaml.safe_dump(lock))
    retention = {"keep_days": 60, "clean_after_flow": False, "min_free_gb": 1}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"retention": retention}))
    monkeypatch.setattr(free_space, "dvc", lambda *_, **__: f"{tmp_path}/.dvc/cache\n")
    return tmp_path


def have(monkeypatch: pytest.MonkeyPatch, free: float) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=free))


@pytest.mark.parametrize(
    ("free", "needed", "warning"),
    [
        (2e9, ["train@scratch"], None),
        (2e8, [], "200 MB are free on the disk of PLACE, less than 1.0 GB (retention.min_free_gb)"),
        (5e7, ["split", "never ran"], "50 MB are free on the disk of PLACE, less than 1.0 GB "),
        (3e8, ["train@scratch"], "300 MB are free on the disk of PLACE, less than 1.0 GB "),
        (
            *(3e8, ["train@scratch", "split"]),
            "300 MB are free on the disk of PLACE, and the stages to rerun made 330 MB the last time; ",
        ),
    ],
)
def test_a_run_is_warned_of_a_filling_disk(
    workspace: Path, monkeypatch, free: float, needed: list[str], warning: str | None
) -> None:
    have(monkeypatch, free)
    found = space_warning(workspace, needed=needed)
    if warning is None:
        assert found is None
    else:
        assert found
        assert found.replace(str(workspace), "PLACE").startswith(warning)
        assert found.endswith("; `ferflow clean --dry-run` shows what can go")


def test_a_run_that_cannot_fit_does_not_start(workspace: Path, monkeypatch) -> None:
    have(monkeypatch, 9e7)
    with pytest.raises(
        UserError, match=r"^90 MB are free .*, too few for a run: .* made 300 MB the"
    ):
        space_warning(workspace, needed=["train@scratch"])


def test_a_cache_on_another_disk_is_looked_at_too(workspace: Path, monkeypatch) -> None:
    (workspace / "elsewhere").mkdir()
    elsewhere = workspace / "elsewhere"
    monkeypatch.setattr(free_space, "_places", lambda _: [workspace, elsewhere])
    of = {workspace: 2e9, elsewhere: 2e8}
    monkeypatch.setattr("shutil.disk_usage", lambda place: SimpleNamespace(free=of[place]))
    warning = space_warning(workspace, needed=["train@scratch"])
    assert warning
    assert f"200 MB are free on the disk of {elsewhere}, and the stages" in warning


def test_without_a_setting_or_an_earlier_run_there_is_room(workspace: Path, monkeypatch) -> None:
    (workspace / "dvc.lock").unlink()
    (workspace / "params.yaml").write_text("flows: {}")
    have(monkeypatch, 1e6)
    assert space_warning(workspace, needed=["split"]) is None
