import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fer_data.core.errors import UserError
from fer_models.training.checkpoints import (
    Checkpoint,
    Checkpoints,
    fingerprint_of,
    open_checkpoints,
)


def checkpoint(epoch: int) -> Checkpoint:
    weights = [np.full((3, 2), epoch, np.float32), np.array(epoch, np.int64), np.zeros((0, 4))]
    return Checkpoint(epoch, {"model": weights, "best": []}, {"history": [{"loss": 0.1 * epoch}]})


def test_a_checkpoint_comes_back_as_it_was(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    assert checkpoints.newest() is None
    checkpoints.save(checkpoint(1))
    newest = checkpoints.newest()
    assert newest is not None
    assert (newest.epoch, newest.state) == (1, checkpoint(1).state)
    assert newest.arrays["best"] == []
    for array, expected in zip(newest.arrays["model"], checkpoint(1).arrays["model"], strict=True):
        assert array.dtype == expected.dtype
        np.testing.assert_array_equal(array, expected)


def test_the_two_newest_stay(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    for epoch in range(8, 12):  # past the point where names sort by length
        checkpoints.save(checkpoint(epoch))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["epoch-0010.npz", "epoch-0011.npz"]


@pytest.mark.parametrize("damage", ["half", "empty", "one bit", "no zip", "end cut off"])
def test_a_damaged_one_is_set_aside_and_the_one_before_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    checkpoints = Checkpoints(tmp_path)
    for epoch in (1, 2):
        checkpoints.save(checkpoint(epoch))
    newest = tmp_path / "epoch-0002.npz"
    data = bytearray(newest.read_bytes())
    place = data.index(np.full(6, 2, np.float32).tobytes())
    data[place] ^= 4
    newest.write_bytes(
        {
            "half": data[: len(data) // 2],
            "empty": b"",
            "one bit": bytes(data),
            "no zip": b"x" * len(data),
            "end cut off": data[:-1],
        }[damage]
    )
    before = checkpoints.newest()
    assert before is not None
    assert before.epoch == 1
    assert "epoch-0002.npz is damaged" in caplog.text
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "epoch-0001.npz",
        "epoch-0002.damaged",
    ]


def test_no_flipped_bit_of_the_newest_keeps_a_training_from_going_on(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(Checkpoint(1, {"model": [], "best": []}, {}))
    checkpoints.save(Checkpoint(2, {"model": [np.arange(2)], "best": []}, {}))
    newest = tmp_path / "epoch-0002.npz"
    data = newest.read_bytes()
    epochs = set()
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        newest.write_bytes(flipped)
        found = checkpoints.newest()
        assert found is not None
        epochs.add(found.epoch)
    assert epochs == {1, 2}  # some bits, such as those of dates, matter to nobody


def test_one_that_cannot_be_read_just_now_stays(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(Checkpoint(1, {"model": [], "best": []}, {}))
    (tmp_path / "epoch-0002.npz").mkdir()  # no rights would do as well, but those root always has
    with pytest.raises(IsADirectoryError):
        checkpoints.newest()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["epoch-0001.npz", "epoch-0002.npz"]


def interrupted(folder: Path, fingerprint: str) -> None:
    """Leaves a checkpoint, as a training that fails does."""
    with open_checkpoints(folder, fingerprint) as checkpoints:
        checkpoints.save(checkpoint(1))
        raise RuntimeError


ONE, TWO = {"intra-op threads": "1"}, {"intra-op threads": "2"}
"""Conditions."""


def test_other_conditions_are_said_and_never_forgotten(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Checkpoints(tmp_path, ONE).save(checkpoint(1))
    same = Checkpoints(tmp_path, ONE)
    assert same.newest() is not None
    assert (same.resumed, caplog.text) == ([], "")
    other = Checkpoints(tmp_path, TWO)
    assert other.newest() is not None
    resumed = [{"after_epoch": 1, "differences": "intra-op threads 1 before, 2 now"}]
    assert other.resumed == resumed
    assert (
        "resumed after epoch 1 under other conditions (intra-op threads 1 before, 2 now): not "
        "repeatable to the bit" in caplog.text
    )
    other.save(checkpoint(2))
    again = Checkpoints(tmp_path, TWO)
    assert again.newest() is not None
    assert again.resumed == resumed


def test_other_conditions_are_refused_if_so_wished_and_the_checkpoint_stays(tmp_path: Path) -> None:
    Checkpoints(tmp_path, ONE).save(checkpoint(1))
    with pytest.raises(UserError, match=r"other conditions \(intra-op threads 1 before, 2 now\)"):
        Checkpoints(tmp_path, TWO, exact=True).newest()
    assert Checkpoints(tmp_path, ONE, exact=True).newest() is not None


def test_a_checkpoint_without_a_record_is_taken_and_called_unknown(tmp_path: Path) -> None:
    """As version 0.1.0 wrote them."""
    array = np.arange(3)
    state = json.dumps({"epoch": 4, "names": {"model": 1}, "state": {}}).encode()
    members = {"model/00000": array, "state": np.frombuffer(state, np.uint8)}
    np.savez(tmp_path / "epoch-0004.npz", allow_pickle=False, **members)
    checkpoints = Checkpoints(tmp_path, ONE)
    newest = checkpoints.newest()
    assert newest is not None
    np.testing.assert_array_equal(newest.arrays["model"][0], array)
    assert checkpoints.resumed == [
        {
            "after_epoch": 4,
            "differences": "the checkpoint does not say under which it was written",
        }
    ]


def test_success_removes_them_and_failure_keeps_them(tmp_path: Path) -> None:
    folder = tmp_path / "scratch"
    with pytest.raises(RuntimeError):
        interrupted(folder, "one")
    with open_checkpoints(folder, "one") as checkpoints:
        assert checkpoints.newest() is not None
    assert [path.name for path in folder.iterdir()] == ["lock"]


def test_each_fingerprint_has_its_own(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError):
        interrupted(tmp_path, "one")
    with open_checkpoints(tmp_path, "another") as checkpoints:
        assert checkpoints.newest() is None


def test_a_second_writer_is_told_who_the_first_is(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from fer_models.training.checkpoints import open_checkpoints\n"
        "with open_checkpoints(Path(sys.argv[1]), 'one'): print('held', flush=True); input()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        message = f"process {holder.pid} trains with .* already: wait for it, or end it"
        with pytest.raises(UserError, match=message), open_checkpoints(tmp_path, "one"):
            pass
    finally:
        holder.kill()
        holder.communicate()
    with open_checkpoints(tmp_path, "one"):  # a killed process holds nothing
        pass


def test_the_fingerprint_follows_settings_data_and_files(tmp_path: Path) -> None:
    weights = tmp_path / "weights"
    weights.write_bytes(b"1")
    faces = np.zeros((2, 3), np.uint8)
    first = fingerprint_of({"epochs": 1}, faces, files=[weights])
    assert first == fingerprint_of({"epochs": 1}, faces.copy(), files=[weights])
    others = {
        fingerprint_of({"epochs": 2}, faces, files=[weights]),
        fingerprint_of({"epochs": 1}, faces + 1, files=[weights]),
        fingerprint_of({"epochs": 1}, faces.reshape(3, 2), files=[weights]),
        fingerprint_of({"epochs": 1}, faces, files=[]),
    }
    weights.write_bytes(b"2")
    others.add(fingerprint_of({"epochs": 1}, faces, files=[weights]))
    assert len(others - {first}) == 5
