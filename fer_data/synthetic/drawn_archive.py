"""Draws an archive of faces: a zip and the list of its planted errors.

It has Kaggle's layout, and stands in for FER2013 where that cannot be had. Since its errors are known,
what the stages find can be compared with them.
"""

import io
import zipfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from PIL import Image

from fer_data.core.errors import UserError
from fer_data.core.files import atomic_write
from fer_data.core.schema import FACE_SIZE, TESTING, TRAINING
from fer_data.stages.drawn_faces import ARCHIVE_COMMENT
from fer_data.synthetic.faces import draw_face, new_subject
from fer_data.synthetic.planted_errors import (
    BLACK,
    BLACK_LABEL,
    NOT_A_IMAGE,
    TRUNCATED,
    Member,
    error_table,
    plant_errors,
)

MIN_FACES: Final = 120
MAX_FACES: Final = 500_000
"""Minutes of drawing, all of it in memory, and less than half of `ingest.max_members`."""

CLASS_FOLDERS: Final = {
    "angry": "Angry",
    "fear": "Fear",
    "happy": "Happy",
    "neutral": "Neutral",
    "sad": "Sad",
    "surprise": "Suprise",  # as the Kaggle archive spells it
}
ARCHIVE_COUNTS: Final = {
    TRAINING: (3995, 4097, 7215, 4965, 4830, 3171),
    TESTING: (958, 1024, 1774, 1233, 1247, 831),
}
"""Faces of each class, in the order of `CLASS_FOLDERS`, in the Kaggle archive."""

_JPEG_QUALITY = 90
_MANY = 10_000
"""Faces from which on starting processes pays."""
_BLOCK = 1_000
DATE = (2020, 1, 1, 0, 0, 0)
_TEXT = b"This is not an image of a face.\n"


def write_sample(file: Path, *, num_faces: int = 3000, seed: int = 0) -> pd.DataFrame:
    """Writes an archive of drawn faces, in the six classes and the imbalance of Kaggle's FER2013.

    It has `num_faces` readable images, those with an error included, and two members more that cannot be
    read: one truncated, one no image. (`ingest.max_rejected_fraction` is 0.01 by default, which
    two members exceed in an archive of fewer than 198 faces.) No member has two errors, and the
    face that a copy was made from has none.

    Args:
        file: The zip to write, whole or not at all; the same `num_faces` and `seed` give the same
            bytes. A thousand faces take about a second, less where there are
            many and several processors.
        num_faces: From `MIN_FACES` to `MAX_FACES`.
        seed: At least 0.

    Returns:
        One row a planted error, sorted by path: `path`, `error`, `label` (the folder's expression),
        `true_label` (the drawn one, "" without a face) and `partner` (what it is a copy of, or "";
        black images are copies of the first of them).

    Raises:
        UserError: `num_faces` is out of its range, `seed` is too small, or `file` is a folder.
    """
    if num_faces < MIN_FACES:
        raise UserError(
            f"a sample of {num_faces} faces is too small for every class and error: "
            f"expected {MIN_FACES} or more"
        )
    if num_faces > MAX_FACES:
        raise UserError(f"{num_faces:,} faces are too many to draw: expected at most {MAX_FACES:,}")
    if seed < 0:
        raise UserError(f"the sample's seed is {seed}, expected 0 or more")
    if file.is_dir():
        raise UserError(f"{file} is a folder: give the name of the zip to write")
    generator = np.random.default_rng(seed)
    members = _planned(num_faces, generator)
    plant_errors(members, generator)
    members.sort(key=lambda member: member.path)
    drawn = [member for member in members if member.original is None]
    paths = (member.path for member in drawn)
    contents = dict(zip(paths, _all_contents(drawn, generator), strict=True))
    with atomic_write(file) as beside, zipfile.ZipFile(beside, "w") as archive:
        archive.comment = ARCHIVE_COMMENT
        for member in members:
            info = zipfile.ZipInfo(member.path, DATE)
            # Stored, and as if on Unix: the bytes depend on neither zlib nor the system.
            info.create_system, info.external_attr = 3, 0o644 << 16
            archive.writestr(info, contents[(member.original or member).path])
    return error_table(members)


def _planned(num_faces: int, generator: np.random.Generator) -> list[Member]:
    """Correct members in the archive's imbalance, and two of `BLACK_LABEL` more, not to be read."""
    cells = [(folder, label) for folder in ARCHIVE_COUNTS for label in CLASS_FOLDERS]
    counts = _scaled(
        np.array(list(ARCHIVE_COUNTS.values())).ravel(),
        num_faces,
    )
    places = [cell for cell, count in zip(cells, counts, strict=True) for _ in range(count)]
    places += [(TRAINING, BLACK_LABEL)] * 2
    numbers = generator.choice(90_000_000, len(places), replace=False) + 10_000_000
    members = [
        Member(_path(folder, label, int(number)), folder, label, drawn=label)
        for (folder, label), number in zip(places, numbers, strict=True)
    ]
    members[-2].error = TRUNCATED
    members[-1].error, members[-1].drawn = NOT_A_IMAGE, ""
    return members


def _path(folder: str, label: str, number: int) -> str:
    kind = "Training" if folder == TRAINING else ("PublicTest", "PrivateTest")[number % 2]
    return f"{folder.title()}/{CLASS_FOLDERS[label]}/{kind}_{number}.jpg"


def _scaled(counts: np.ndarray, total: int) -> list[int]:
    """Integers in the ratio of `counts` (n,) with the sum `total`, by largest remainders."""
    exact = counts * total / counts.sum()
    scaled = np.floor(exact).astype(int)
    largest = np.argsort(scaled - exact, kind="stable")[: total - scaled.sum()]
    scaled[largest] += 1
    return scaled.tolist()


def _all_contents(members: list[Member], generator: np.random.Generator) -> Iterator[bytes]:
    """The bytes of members that copy none, in order; many are painted by several processes."""
    if len(members) < _MANY:
        yield from (_contents(member, generator) for member in members)
        return
    # Not forked: threads of the caller, such as TensorFlow's, would leave locks behind.
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as processes:
        for painted in processes.map(_painted, _tasks(members, generator)):
            yield from painted


def _tasks(
    members: list[Member], generator: np.random.Generator
) -> Iterator[tuple[list[Member], dict[str, Any]]]:
    """Blocks of members, and the generator's state before each: what `_painted` takes."""
    for start in range(0, len(members), _BLOCK):
        block = members[start : start + _BLOCK]
        yield block, dict(generator.bit_generator.state)
        for member in block:
            if member.drawn:  # passes over what the other process draws of it
                new_subject(member.drawn, generator)


def _painted(task: tuple[list[Member], dict[str, Any]]) -> list[bytes]:
    """The bytes of a block of members, with a generator in this state."""
    (members, state), generator = task, np.random.default_rng()
    generator.bit_generator.state = state
    return [_contents(member, generator) for member in members]


def _contents(member: Member, generator: np.random.Generator) -> bytes:
    """The bytes of a member that copies none."""
    if member.error == NOT_A_IMAGE:
        return _TEXT
    if member.error == BLACK:
        face = np.zeros((FACE_SIZE, FACE_SIZE), np.uint8)
    else:
        face = draw_face(member.drawn, generator)
    Image.fromarray(face).save(stream := io.BytesIO(), "JPEG", quality=_JPEG_QUALITY)
    size = stream.tell() // 2 if member.error == TRUNCATED else stream.tell()
    return stream.getvalue()[:size]
