import errno
from pathlib import Path

import pytest

from fer_data.core.files import atomic_write

LIBRARY_WORDS = "Error writing bytes to file. Detail: [errno 28] No space left on device"


def write(target: Path, error: OSError) -> None:
    with atomic_write(target) as beside:
        beside.write_bytes(b"ha")
        raise error


@pytest.mark.parametrize("words", ["No space left on device", LIBRARY_WORDS])
def test_a_full_disk_names_what_was_being_written(tmp_path: Path, words: str) -> None:
    target = tmp_path / "table.parquet"
    target.write_bytes(b"old")
    with pytest.raises(
        OSError, match=r"^\[Errno 28\] No space left on device: '.*/table\.parquet'$"
    ):
        write(target, OSError(errno.ENOSPC, words))
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["table.parquet"]


@pytest.mark.parametrize(
    "error", [OSError(errno.EIO, "broken"), OSError(28, "broken", "elsewhere")]
)
def test_other_errors_stay_what_they_are(tmp_path: Path, error: OSError) -> None:
    with pytest.raises(OSError, match="broken") as told:
        write(tmp_path / "table.parquet", error)
    assert told.value is error
