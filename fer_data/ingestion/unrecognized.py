"""Says why a dataset has no layout that is known: what it holds, and what is missing."""

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Final

from fer_data.core.errors import UserError, one_line
from fer_data.ingestion.datasets import Dataset
from fer_data.ingestion.finders import LABELS, PATHS, PIXELS, columns_of, is_image
from fer_data.ingestion.zip_archive import Member

_PACKED: Final = {".zip", ".tar", ".gz", ".tgz", ".7z", ".rar"}
_SHOWN = 200
"""Letters of the columns of a CSV in a message."""


def is_packed(member: Member) -> bool:
    """Whether a file is an archive by its name."""
    return PurePosixPath(member.path).suffix.casefold() in _PACKED


def rows_in_words(rows: Sequence[tuple[str, str]], num_faces: int) -> str:
    """Says which rows of CSVs were left out, to be read before what the others lack.

    Args:
        rows: Where each stands, and why it was left out.
        num_faces: How many faces were found beside them.

    Returns:
        Words that follow the dataset's name; none where no row was left out.
    """
    if not rows:
        return ""
    where, reason = rows[0]
    number = f"{len(rows):,} of {len(rows) + num_faces:,} rows are left out"
    return f": {number}, such as {one_line(where)} ({reason}); what is left of it"


def unrecognized(
    dataset: Dataset, layouts: Sequence[str], *, rows: Sequence[tuple[str, str]]
) -> UserError:
    """The error that a dataset without a face in any layout deserves.

    Args:
        dataset: What is to be added.
        layouts: The names of those that are known.
        rows: Of CSVs, where each row without a face stands, and why.
    """
    names = ", ".join(layouts)
    return UserError(
        f"{dataset.path} has no layout that is known: {_reason(dataset, rows)}; expected {names}"
        f"{_hint(dataset)}"
    )


def _reason(dataset: Dataset, rows: Sequence[tuple[str, str]]) -> str:
    """What it lacks."""
    if not dataset.members:
        return "it holds no file"
    if rows:
        where, reason = rows[0]
        return f"no row of its CSVs gives a face, such as {one_line(where)} ({reason})"
    images = [member for member in dataset.members if is_image(member)]
    tables = [one for one in dataset.members if one.path.casefold().endswith(".csv")]
    lacks = [_lack(dataset, table, has_images=bool(images)) for table in tables[:3]]
    if images:
        words = f"its images, such as {one_line(images[0].path)}, lie in no folder of a class"
        return "; ".join([words, *lacks])
    if tables:
        return "; ".join(["it holds no image", *lacks])
    return f"it holds neither an image nor a CSV, but files such as {one_line(dataset.members[0].path)}"


def _lack(dataset: Dataset, table: Member, *, has_images: bool) -> str:
    """Which column a CSV lacks."""
    columns = columns_of(next(dataset.rows(table), []))
    name = one_line(table.path)
    if not columns:
        return f"{name} is empty"
    lacks: list[str] = []
    if not set(LABELS) & set(columns):
        lacks.append(f"of labels ({', '.join(LABELS)})")
    if not {*PIXELS, *PATHS} & set(columns):
        lacks.append(f"of pixels ({', '.join(PIXELS)}) or of paths ({', '.join(PATHS)})")
    if lacks:
        found = one_line(", ".join(columns))[:_SHOWN]
        return f"{name} has no column {' and none '.join(lacks)}, but {found}"
    if not has_images and not set(PIXELS) & set(columns):
        return f"{name} lists images, and none is there"
    return f"{name} has no row"


def _hint(dataset: Dataset) -> str:
    if packed := [one.path for one in dataset.members if is_packed(one)]:
        return f"; {one_line(packed[0])} is packed: unpack it, and add what is in it"
    if records := [one.path for one in dataset.members if ".tfrecord" in one.path]:
        name = one_line(records[0])
        return f"; {name} is of TFRecords: write the images out, as `tfds.as_numpy` gives them"
    return ""
