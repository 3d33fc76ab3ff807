"""Finds the faces of a dataset, with the names of class and split as they are written there."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Final

from fer_data.core.errors import UserError
from fer_data.core.schema import ORIGINAL_SPLIT_FOLDERS
from fer_data.ingestion.datasets import Dataset
from fer_data.ingestion.zip_archive import Member

PUBLIC_TEST, PRIVATE_TEST = "publictest", "privatetest"
"""FER2013's two parts of Testing, in lower case."""
_SPLIT_NAMES = {*ORIGINAL_SPLIT_FOLDERS, PUBLIC_TEST, PRIVATE_TEST}

FER2013_FILES: Final = ("fer2013.csv", "icml_face_data.csv")
"""Names under which FER2013 is known, and with them what its numbers mean."""
_IMAGES = {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".pgm"}
LABELS = ("label", "emotion", "expression", "class")
PATHS = ("path", "image", "file_name", "filename", "file", "image_path", "image_name", "name")
_SPLITS = ("split", "usage", "set", "subset")
PIXELS = ("pixels",)
"""Names of a CSV's columns, in lower case; the first that is there counts."""


@dataclass(frozen=True, slots=True)
class Found:
    """A face, as the dataset names it."""

    member: Member
    """The image, or the CSV that has its pixels."""
    label: str
    split: str
    """Empty where none is named."""
    row: int | None = None
    """Of the CSV, from 1; None: the member is an image."""


@dataclass
class Findings:
    """The faces that one way to read a dataset finds, and what it could not read."""

    faces: list[Found] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)
    """Rows without a face: where, and why."""


def is_image(member: Member) -> bool:
    """Whether a file is an image by its name; whether it can be read, `decode_image` says."""
    return PurePosixPath(member.path).suffix.casefold() in _IMAGES


def is_split(name: str) -> bool:
    """Whether a name is that of a split, in any case."""
    return name.strip().casefold() in _SPLIT_NAMES


def by_folders(place: Callable[[list[str]], tuple[str, str] | None]) -> Callable[..., Findings]:
    """Makes the finder of a layout whose folders tell all.

    Args:
        place: From the folders of an image to the names of its split and class; None: not this layout.
    """

    def find(dataset: Dataset) -> Findings:
        findings = Findings()
        for member in filter(is_image, dataset.members):
            if (found := place(member.path.split("/")[:-1])) is not None:
                split, label = found
                findings.faces.append(Found(member, label, split))
        return findings

    return find


def split_above_class(folders: list[str]) -> tuple[str, str] | None:
    """`SPLIT/CLASS/image`, with any folders above and between."""
    above = [name for name in folders[:-1] if is_split(name)]
    return (above[-1], folders[-1]) if above and not is_split(folders[-1]) else None


def class_above_split(folders: list[str]) -> tuple[str, str] | None:
    """`CLASS/SPLIT/image`, with any folders above."""
    if len(folders) < 2 or not is_split(folders[-1]) or is_split(folders[-2]):
        return None
    return folders[-1], folders[-2]


def class_alone(folders: list[str]) -> tuple[str, str] | None:
    """`CLASS/image`, with any folders above, none of them a split's."""
    return ("", folders[-1]) if folders and not any(map(is_split, folders)) else None


def fer2013_rows(dataset: Dataset) -> Findings:
    """Rows of pixels in a CSV that bears FER2013's name: `emotion,pixels,Usage`."""
    tables = [table for table in _tables(dataset, PIXELS) if _name(table) in FER2013_FILES]
    return _pixel_rows(dataset, sorted(tables, key=lambda one: FER2013_FILES.index(_name(one)))[:1])


def pixel_rows(dataset: Dataset) -> Findings:
    """Rows of pixels in the same columns, in a CSV of another name."""
    tables = [table for table in _tables(dataset, PIXELS) if _name(table) not in FER2013_FILES]
    if len(tables) > 1:
        names = ", ".join(table.path for table in tables)
        raise UserError(f"{dataset.path} has several CSVs of faces ({names}): add one of them")
    return _pixel_rows(dataset, tables)


def _pixel_rows(dataset: Dataset, tables: list[Member]) -> Findings:
    findings = Findings()
    for table in tables:
        rows = dataset.rows(table)
        columns = columns_of(next(rows))
        label, split = _place(columns, LABELS), _place(columns, _SPLITS)
        for number, row in enumerate(rows, start=1):
            if len(row) != len(columns):
                findings.left_out.append((f"{table.path}, row {number}", "row of another length"))
                continue
            named = row[split].strip() if split is not None else ""
            findings.faces.append(Found(table, row[label or 0].strip(), named, number))
    return findings


def labeled_paths(dataset: Dataset) -> Findings:
    """Images that CSVs beside them list: `path,label[,split]`.

    A path is one from the CSV's folder or from the dataset's, or a mere name that only one image has.
    The split is that of its column, else of the image's folders, else of the CSV's name.
    """
    findings = Findings()
    images = {member.path: member for member in filter(is_image, dataset.members)}
    names: dict[str, list[str]] = {}
    for path in images:
        names.setdefault(path.rpartition("/")[2], []).append(path)
    listed: dict[str, Found] = {}
    for table in _tables(dataset, PATHS):
        folder = table.path.rpartition("/")[0]
        for where, (written, label, split) in _labeled_rows(dataset, table, findings):
            tried = [f"{folder}/{written}", written]
            tried += names.get(written, []) if len(names.get(written, [])) == 1 else []
            path = next((one.lstrip("/") for one in tried if one.lstrip("/") in images), None)
            if path is None:
                findings.left_out.append((where, "row of an image that is not there"))
                continue
            found = Found(images[path], label, split or _split_of_names(path, table.path))
            before = listed.setdefault(path, found)
            if before != found:
                raise UserError(
                    f"{dataset.path}: {where}: {path} is {found.label!r} {found.split!r} there, and "
                    f"{before.label!r} {before.split!r} in another row: keep one of them"
                )
    findings.faces = list(listed.values())
    return findings


def _labeled_rows(
    dataset: Dataset, table: Member, findings: Findings
) -> Iterator[tuple[str, tuple[str, str, str]]]:
    """Where each row stands, with its path, label and split."""
    rows = dataset.rows(table)
    columns = columns_of(next(rows))
    places = [_place(columns, names) for names in (PATHS, LABELS, _SPLITS)]
    for number, row in enumerate(rows, start=1):
        where = f"{table.path}, row {number}"
        if len(row) != len(columns):
            findings.left_out.append((where, "row of another length"))
            continue
        path, label, split = ("" if at is None else row[at].strip() for at in places)
        written = path.replace("\\", "/").removeprefix("./")
        yield where, (written, label, split)


def _tables(dataset: Dataset, needed: tuple[str, ...]) -> list[Member]:
    """The CSVs with a column of labels and one of these."""
    tables: list[Member] = []
    for member in dataset.members:
        if member.path.casefold().endswith(".csv"):
            columns = columns_of(next(dataset.rows(member), []))
            if None not in (_place(columns, needed), _place(columns, LABELS)):
                tables.append(member)
    return tables


def columns_of(row: list[str]) -> list[str]:
    """The names of a CSV's columns as they are compared, from its header."""
    return [name.strip().casefold() for name in row]


def _place(columns: list[str], names: tuple[str, ...]) -> int | None:
    return next((columns.index(name) for name in names if name in columns), None)


def _name(member: Member) -> str:
    return member.path.rpartition("/")[2].casefold()


def _split_of_names(path: str, table: str) -> str:
    """The split that the nearest folder of an image names, else the CSV that lists it; or none."""
    parts = [*re.split(r"[_\-. ]", table.rpartition("/")[2]), *path.split("/")[:-1]]
    return next((name for name in reversed(parts) if is_split(name)), "")
