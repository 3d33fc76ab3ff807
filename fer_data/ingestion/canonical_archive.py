"""Writes the faces of a recognized dataset as the archive that `ingest` reads, `SPLIT/CLASS/image`.

Images are copied byte for byte; rows of pixels become PNGs, which lose nothing. The same dataset
gives the same bytes.
"""

import csv
import io
import math
import stat
import unicodedata
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

from PIL import Image

from fer_data.core.errors import UserError
from fer_data.core.schema import FACE_SIZE, ORIGINAL_SPLIT_FOLDERS, expression_of_folder
from fer_data.ingestion.datasets import Dataset
from fer_data.ingestion.decode_image import ImageError, decode_face, warnings_refused
from fer_data.ingestion.layouts import Face, LeftOut, Recognized, source_of
from fer_data.ingestion.member_names import check_distinct
from fer_data.ingestion.zip_archive import MemberError
from fer_data.stages.drawn_faces import ARCHIVE_COMMENT

_DATE: Final = (1980, 1, 1, 0, 0, 0)
MAPPING_COLUMNS: Final = ("split", "class", "original_split", "label", "faces", "left_out_for")


@dataclass
class Written:
    """What a dataset's images turned out to be, as they were read."""

    taken: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)
    """The number of faces by split and class as the dataset names them, original split and label."""
    sizes: Counter[str] = field(default_factory=Counter)
    """Of images that are not 48x48: their number by width and height."""
    num_color: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    """Of images that `ingest` will refuse whatever its settings, by kind of reason."""
    left_out: list[LeftOut] = field(default_factory=list)
    """What could not be read at all."""


def cell_of(face: Face) -> tuple[str, str, str, str]:
    """A face's split and class as the dataset names them, its original split and its label."""
    return face.found.split, face.found.label, face.original_split, face.label


def is_canonical(dataset: Dataset, recognized: Recognized) -> bool:
    """Whether a dataset is a zip from which `ingest` takes the very faces that were recognized."""
    faces = {face.found.member.path: face for face in recognized.faces}
    if not dataset.is_zip or faces.keys() != {member.path for member in dataset.members}:
        return False
    for path, face in faces.items():
        split, label = ["", "", *path.split("/")][-3:-1]
        if (
            ORIGINAL_SPLIT_FOLDERS.get(split.casefold()) != face.original_split
            or expression_of_folder(label, recognized.expressions) != face.label
        ):
            return False
    return True


def write_canonical(
    dataset: Dataset, recognized: Recognized, target: Path | None, *, max_rejected_fraction: float
) -> Written:
    """Reads all faces of a dataset, and writes them into a zip.

    Args:
        dataset: What is to be added.
        recognized: What it was taken for.
        target: The zip to write; None: the faces are read, and nothing is written.
        max_rejected_fraction: The part of the faces that may be left out, `--skip` aside.

    Raises:
        UserError: More of them have no place or cannot be read.
    """
    written = Written()
    names = _names(recognized.faces)
    check_distinct(dataset.path, names)
    opened = zipfile.ZipFile(target, "w") if target else nullcontext()
    with opened as archive, warnings_refused():
        if archive and dataset.comment == ARCHIVE_COMMENT:
            archive.comment = ARCHIVE_COMMENT
        for name, face, data in _contents(dataset, recognized.faces, names):
            if isinstance(data, Exception):
                reason = str(data)
                written.left_out.append(LeftOut(source_of(face.found), reason, is_face=True))
                continue
            written.taken[cell_of(face)] += 1
            _look(data, written)
            if archive:
                info = zipfile.ZipInfo(name, _DATE)
                # Stored, and as if on Unix: the bytes depend on neither zlib nor the system.
                info.create_system, info.external_attr = 3, (stat.S_IFREG | 0o644) << 16
                archive.writestr(info, data)
    lost = [one for one in (*recognized.left_out, *written.left_out) if one.is_face]
    num_faces = len(lost) + written.taken.total()
    if len(lost) > max_rejected_fraction * num_faces:
        raise UserError(
            f"{dataset.path}: {len(lost):,} of {num_faces:,} faces would be left out, such as "
            f"{lost[0].source} ({lost[0].reason}), more than `ingest.max_rejected_fraction` "
            f"({max_rejected_fraction:g}) allows"
        )
    return written


def write_mapping(recognized: Recognized, written: Written, target: Path) -> None:
    """Writes what became of the dataset's splits and classes, a row each, as CSV.

    Args:
        recognized: What the dataset was taken for.
        written: What came of it.
        target: The file.
    """
    left_out = Counter(one.reason for one in (*recognized.left_out, *written.left_out))
    with target.open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(MAPPING_COLUMNS)
        table.writerows([*names, count, ""] for names, count in sorted(written.taken.items()))
        table.writerows(["", "", "", "", n, reason] for reason, n in sorted(left_out.items()))


def _names(faces: list[Face]) -> list[str]:
    """The place of each face in the archive: with its own name, or with its folders in it if need be."""
    short = [_name(face, _short_name(face)) for face in faces]
    counts = Counter(unicodedata.normalize("NFC", name).casefold() for name in short)
    return [
        name
        if counts[unicodedata.normalize("NFC", name).casefold()] == 1
        else _name(face, face.found.member.path.replace("/", "_"))
        for name, face in zip(short, faces, strict=True)
    ]


def _name(face: Face, name: str) -> str:
    return f"{face.original_split.title()}/{face.label}/{name}"


def _short_name(face: Face) -> str:
    found = face.found
    if found.row is None:
        return PurePosixPath(found.member.path).name
    return name_of_row(found.split, found.row)


def name_of_row(split: str, row: int) -> str:
    """The file name of the image of a row, from 1, of a CSV: `PublicTest_028710.png`."""
    return f"{split.title().replace('test', 'Test') or 'Row'}_{row:06d}.png"


def _contents(
    dataset: Dataset, faces: list[Face], names: list[str]
) -> Iterator[tuple[str, Face, bytes | Exception]]:
    """Each face's name and image, in an order that does not depend on the run; or why it has none."""
    tables = {face.found.member.path: face.found.member for face in faces if face.found.row}
    for path, table in sorted(tables.items()):
        places = {
            face.found.row: (name, face)
            for name, face in zip(names, faces, strict=True)
            if face.found.member.path == path
        }
        rows = dataset.rows(table)
        column = [name.strip().casefold() for name in next(rows)].index("pixels")
        for number, row in enumerate(rows, start=1):
            if number in places:
                yield *places[number], _png(row[column])
    for name, face in sorted(zip(names, faces, strict=True), key=lambda pair: pair[0]):
        if face.found.row is None:
            try:
                yield name, face, dataset.read(face.found.member)
            except MemberError as error:
                yield name, face, error


def _png(text: str) -> bytes | ImageError:
    """The image of a row of gray levels, which stand row by row with spaces between."""
    try:
        levels = bytes(map(int, text.split()))
    except ValueError:
        return ImageError("pixels that are no numbers from 0 to 255")
    side = math.isqrt(len(levels))
    if side * side != len(levels) or not side:
        return ImageError(f"pixels of no square image: {len(levels)} numbers")
    stream = io.BytesIO()
    Image.frombytes("L", (side, side), levels).save(stream, "PNG")
    return stream.getvalue()


def _look(data: bytes, written: Written) -> None:
    """Notes what `ingest` will find in an image."""
    try:
        face = decode_face(data, resize=True)
    except ImageError as error:
        written.refused[str(error).split(":")[0]] += 1
        return
    if (face.width, face.height) != (FACE_SIZE, FACE_SIZE):
        written.sizes[f"{face.width}x{face.height}"] += 1
    if face.mode not in ("L", "1"):
        written.num_color += 1
