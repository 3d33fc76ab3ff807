from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fer_data.core.errors import UserError
from fer_data.core.face_store import read_faces, read_pixels
from fer_data.core.tables import (
    probabilities_of,
    read_csv,
    read_json,
    read_metadata,
    read_table,
    with_probabilities,
    write_table,
)


def test_probabilities_survive_a_table(tmp_path: Path) -> None:
    probabilities = np.random.default_rng(0).dirichlet(np.ones(6), 5).astype(np.float32)
    frame = pd.DataFrame({"path": list("abcde")})
    write_table(with_probabilities(frame, probabilities), tmp_path / "table.parquet")
    again = read_table(tmp_path / "table.parquet")
    assert list(frame.columns) == ["path"]  # the given frame is left as it was
    assert probabilities_of(again).dtype == np.float32
    np.testing.assert_array_equal(probabilities_of(again), probabilities)


def test_the_classes_of_probabilities_travel_with_them(tmp_path: Path) -> None:
    frame = with_probabilities(pd.DataFrame({"path": ["a"]}), np.array([[0.8, 0.2]]))
    file = tmp_path / "table.parquet"
    write_table(frame, file, expressions=("happy", "sad"))
    for given in (None, ("happy", "sad")):
        assert probabilities_of(read_table(file, expressions=given)).shape == (1, 2)
    # What is made of a table is not named after it.
    write_table(read_table(file).assign(label="sad"), tmp_path / "next.parquet")
    for other, message in ((file, "are of happy, sad;"), (tmp_path / "next.parquet", "not name;")):
        with pytest.raises(UserError, match=rf"{message} expected sad, happy, in this order: `dvc"):
            read_table(other, expressions=("sad", "happy"))


def test_only_the_rows_of_some_faces_are_read(tmp_path: Path) -> None:
    write_table(pd.DataFrame({"path": ["a", "b", "c"], "x": [1, 2, 3]}), tmp_path / "t.parquet")
    read = read_table(tmp_path / "t.parquet", columns=("path", "x"), paths=["c", "a", "none"])
    assert read.to_dict("list") == {"path": ["a", "c"], "x": [1, 3]}


def test_the_same_rows_are_the_same_bytes(tmp_path: Path) -> None:
    frame = pd.DataFrame({"path": ["b", "a"], "mean": [0.1, 0.2]})
    for name in ("first", "second"):
        write_table(frame, tmp_path / name)
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


def test_missing_tables_and_pixels_name_the_way_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no\.parquet is missing: `dvc repro` makes it"):
        read_table(tmp_path / "no.parquet")
    with pytest.raises(UserError, match=r"no\.npy is missing: `dvc repro` makes it"):
        read_pixels(tmp_path / "no.npy")


@pytest.mark.parametrize("pixels", [np.zeros((2, 40, 48), np.uint8), np.zeros((2, 48, 48))])
def test_other_pixels_are_refused(tmp_path: Path, pixels: np.ndarray) -> None:
    np.save(tmp_path / "pixels.npy", pixels)
    with pytest.raises(UserError, match=r"holds .* expected uint8 \(2, 48, 48\)"):
        read_pixels(tmp_path / "pixels.npy")


def test_faces_and_rows_must_be_as_many(tmp_path: Path) -> None:
    write_table(pd.DataFrame({"path": ["a", "b", "c"]}), tmp_path / "manifest.parquet")
    np.save(tmp_path / "pixels.npy", np.zeros((2, 48, 48), np.uint8))
    with pytest.raises(UserError, match=r"has 3 rows, .* 2 faces"):
        read_faces(tmp_path / "manifest.parquet", tmp_path / "pixels.npy")


@pytest.mark.parametrize("content", [b"", b"PAR1", b"\xff\xfe\0"])
@pytest.mark.parametrize("read", [read_table, read_metadata, read_csv, read_pixels, read_json])
def test_an_empty_or_damaged_file_is_one_line(tmp_path: Path, read: Any, content: bytes) -> None:
    if read is read_csv and content == b"PAR1":
        pytest.skip("a column's name is a table")
    file = tmp_path / "file"
    file.write_bytes(content)
    with pytest.raises(UserError, match=r"file .*: `dvc repro` makes it again"):
        read(file)


def test_metadata_travels_with_a_table_and_changes_no_row(tmp_path: Path) -> None:
    frame = pd.DataFrame({"path": ["a"]})
    write_table(frame, tmp_path / "table", metadata={"decisions": "{}"})
    assert read_metadata(tmp_path / "table")["decisions"] == "{}"
    pd.testing.assert_frame_equal(read_table(tmp_path / "table"), frame)
