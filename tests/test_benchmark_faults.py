"""What `benchmarks/faults.py` compares, and where it kills."""

import json
from pathlib import Path

import pytest
import yaml

from benchmarks.fault_cases.damage import flip
from benchmarks.fault_cases.full_disk import fill, small_disk
from benchmarks.fault_cases.kills import plan
from benchmarks.fault_cases.runs import contents, differences


def test_every_stage_is_killed_before_any_moment_is_random() -> None:
    stages = [f"stage {number}" for number in range(19)]
    chains = plan(stages, 30)
    assert sorted(stage for chain in chains for stage in chain if stage) == sorted(stages)
    assert sum(map(len, chains)) == 30
    assert chains == [stages, [None] * 11]
    assert plan(stages, 2) == [["stage 0", "stage 1"]]


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    outs = [{"path": "table.csv"}, {"path": "report"}, {"path": "data.bin"}]
    (tmp_path / "dvc.lock").write_text(yaml.safe_dump({"stages": {"all": {"outs": outs}}}))
    (tmp_path / "table.csv").write_text("epoch,loss,seconds\n1,0.5,3.1\n")
    (tmp_path / "report").mkdir()
    (tmp_path / "report/summary.json").write_text(json.dumps({"a": [{"seconds": 1.0, "loss": 2}]}))
    (tmp_path / "report/index.html").write_text("took 1.0 s")
    (tmp_path / "data.bin").write_bytes(b"0123456789")
    return tmp_path


def test_times_and_pages_are_left_out_and_nothing_else(workspace: Path) -> None:
    before = contents(workspace)
    assert sorted(before) == ["data.bin", "report/summary.json", "table.csv"]
    (workspace / "table.csv").write_text("epoch,loss,seconds\n1,0.5,4.7\n")
    (workspace / "report/summary.json").write_text(json.dumps({"a": [{"loss": 2, "seconds": 9.0}]}))
    (workspace / "report/index.html").write_text("took 9.0 s")
    assert not differences(before, contents(workspace))
    (workspace / "table.csv").write_text("epoch,loss,seconds\n1,0.6,4.7\n")
    flip(workspace / "data.bin")
    (workspace / "report/summary.json").unlink()
    assert differences(before, contents(workspace)) == sorted(before)


def test_a_flipped_bit_leaves_time_size_and_rights(workspace: Path) -> None:
    file = workspace / "data.bin"
    file.chmod(0o444)
    before = file.stat()
    flip(file)
    after = file.stat()
    assert file.read_bytes() == b"0123446789"
    for name in ("st_size", "st_mtime_ns", "st_mode"):
        assert getattr(after, name) == getattr(before, name)


def test_a_small_disk_is_filled_to_the_last_byte(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        if disk is None:
            pytest.skip("nobody may mount a file system here")
        fill(disk)
        with pytest.raises(OSError, match="No space left"):
            (disk / "more").write_bytes(b"x")
    assert not any((tmp_path / "disk").iterdir())
