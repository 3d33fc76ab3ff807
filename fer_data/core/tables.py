"""Reads and writes tables: Parquet, CSV, JSON, and arrays in a column."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from fer_data.core.errors import UserError
from fer_data.core.files import atomic_write
from fer_data.core.schema import ORIGINAL_SPLIT, PATH, PROBABILITIES, SPLIT, TEST, TESTING

_EXPRESSIONS = "expressions"
"""The metadata that name the columns of the arrays `probabilities`, as a JSON list."""


def write_table(
    frame: pd.DataFrame,
    file: Path,
    *,
    metadata: Mapping[str, str] | None = None,
    expressions: tuple[str, ...] | None = None,
) -> None:
    """Writes a frame without its index; whole or not at all.

    Args:
        frame: The rows.
        file: Where to, in Parquet.
        metadata: What else the file is to hold, see `read_metadata`.
        expressions: Of a frame with `probabilities`, the K classes in the order of these arrays.
    """
    table = pa.Table.from_pandas(frame, preserve_index=False)
    named = {} if expressions is None else {_EXPRESSIONS: json.dumps(expressions, allow_nan=False)}
    if metadata or named:
        merged = {**(table.schema.metadata or {}), **(metadata or {}), **named}
        table = table.replace_schema_metadata(merged)
    with atomic_write(file) as beside:
        pq.write_table(table, beside)


def read_table(
    file: Path,
    *,
    columns: Sequence[str] | None = None,
    paths: Iterable[str] | None = None,
    expressions: tuple[str, ...] | None = None,
) -> pd.DataFrame:
    """Reads a frame.

    Args:
        file: The file.
        columns: Those to read; None: all.
        paths: Of the faces whose rows are read, at least one; None: all.
        expressions: Of a frame whose `probabilities` are wanted, the K classes that they must be of, in
            this order.

    Raises:
        UserError: The file is missing, is no whole Parquet file, or its probabilities are of other
            classes.
    """
    with _one_line(file, "Parquet"):
        frame = pd.read_parquet(
            file,
            columns=None if columns is None else list(columns),
            filters=None if paths is None else [(PATH, "in", set(paths))],
        )
    if expressions is not None:
        found = json.loads(read_metadata(file).get(_EXPRESSIONS, "null"))
        if found != list(expressions):
            names = "classes that it does not name" if found is None else ", ".join(found)
            raise UserError(
                f"the probabilities of {file} are of {names}; expected {', '.join(expressions)}, in "
                "this order: `dvc repro` makes it again"
            )
    return frame


def read_metadata(file: Path) -> dict[str, str]:
    """Reads the metadata of a table, among pandas' own.

    Raises:
        UserError: The file is missing, or is no whole Parquet file.
    """
    with _one_line(file, "Parquet"):
        found = pq.read_schema(file).metadata or {}
    return {key.decode(): value.decode() for key, value in found.items()}


def read_csv(file: Path, *, dtype: type | None = None) -> pd.DataFrame:
    """Reads a CSV file.

    Args:
        file: The file, in UTF-8, with a header.
        dtype: The type of all columns; with `str`, empty fields are empty strings.

    Raises:
        UserError: The file is missing, or is no CSV in UTF-8.
    """
    with _one_line(file, "CSV"):
        return pd.read_csv(file, dtype=dtype, keep_default_na=dtype is not str)


def read_array(file: Path) -> np.ndarray:
    """Maps an array of NumPy's format, without reading it.

    Raises:
        UserError: The file is missing, or is no such array.
    """
    with _one_line(file, "NumPy"):
        return np.load(file, mmap_mode="r", allow_pickle=False)


def read_json(file: Path) -> Any:
    """Reads a JSON file.

    Raises:
        UserError: The file is missing, or is not JSON.
    """
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise missing(file) from None
    except (RecursionError, ValueError) as error:
        raise UserError(f"{file} is not JSON ({error}): `dvc repro` makes it again") from None


@contextmanager
def _one_line(file: Path, form: str) -> Iterator[None]:
    """Turns the errors of libraries about a missing, empty or damaged file into a line."""
    try:
        yield
    except FileNotFoundError:
        raise missing(file) from None
    except (ValueError, EOFError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # of the system, such as missing rights, and not of what is in the file
        size = file.stat().st_size
        raise UserError(
            f"{file} ({size} bytes) is no whole {form} file: `dvc repro` makes it again "
            f"({' '.join(str(error).split())[:200]})"
        ) from None


def missing(file: Path) -> UserError:
    """The error that a missing artifact deserves, with both ways to get it."""
    return UserError(f"{file} is missing: `dvc repro` makes it, `dvc pull` fetches it")


def original_splits(manifest: pd.DataFrame, assignments: pd.DataFrame) -> pd.Series:
    """The original split of each face, where what the stage `split` drew as `test` is of Testing.

    Args:
        manifest: N faces with `path` and `original_split`.
        assignments: `path` and `split` of these faces.

    Returns:
        N values, with the manifest's index: those of the manifest, if the archive has a Testing folder.
    """
    tested = assignments.loc[assignments[SPLIT] == TEST, PATH]
    return manifest[ORIGINAL_SPLIT].mask(manifest[PATH].isin(tested), TESTING)


def with_probabilities(frame: pd.DataFrame, probabilities: np.ndarray) -> pd.DataFrame:
    """A copy of `frame` (N rows) with the rows of `probabilities`, float32 (N, K), as a column."""
    return frame.assign(**{PROBABILITIES: list(probabilities.astype(np.float32))})


def probabilities_of(frame: pd.DataFrame) -> np.ndarray:
    """The column `probabilities` of N rows as one float32 array of shape (N, K)."""
    return np.stack(list(frame[PROBABILITIES])).astype(np.float32)


def values_of(table: pd.DataFrame, column: str, paths: Sequence[str]) -> pd.Series:
    """Looks up a column of the assignments for N faces.

    Args:
        table: The faces as the stage `split` writes them: `path` and the column.
        column: The column's name.
        paths: The N faces.

    Returns:
        The N values, by path, in the order of `paths`.

    Raises:
        UserError: A face is missing there.
    """
    found = table.set_index(PATH)[column].reindex(list(paths))
    unknown = found.index[found.isna()]
    if len(unknown):
        raise UserError(
            f"{len(unknown)} of {len(found)} faces have no {column} in the assignments, such as "
            f"{unknown[0]}: `dvc repro tfrecords` rebuilds assignments and records"
        )
    return found
