"""Reads `archive.zip` into the face store: `manifest.parquet`, `pixels.npy` and `rejected.csv`.

Every member is taken, refused for a reason that is written down, or skipped as a file manager's
junk. Nothing is extracted to disk. An archive that is unsafe, broken or incomplete stops the stage.
"""

import hashlib
import logging
from pathlib import Path

import numpy as np
import pandas as pd

from fer_data.core.errors import UserError
from fer_data.core.files import atomic_write
from fer_data.core.schema import (
    FACE_SIZE,
    MANIFEST_COLUMNS,
    MEAN,
    ORIGINAL_SPLIT_FOLDERS,
    ORIGINAL_SPLITS,
    PATH,
    REASON,
    STD,
    TESTING,
    TRAINING,
    expression_of_folder,
)
from fer_data.core.tables import write_table
from fer_data.ingestion.decode_image import ImageError, decode_face, warnings_refused
from fer_data.ingestion.ingest_settings import IngestSettings
from fer_data.ingestion.intake import Intake, check_intake, intake_table
from fer_data.ingestion.zip_archive import Limits, MemberError, open_archive
from fer_data.stages import stage
from fer_data.stages.drawn_faces import manifest_metadata
from fer_data.stages.settings import DataSettings, read_settings

ARCHIVE_NAME = "archive.zip"
DATASET = "apollo2506/facial-recognition-dataset"
"""The archive's name on Kaggle."""

_LIMITS = {"max_member_bytes", "max_total_bytes", "max_compression_ratio", "max_members"}

logger = logging.getLogger(__name__)


def take_faces(
    archive: Path, *, expressions: tuple[str, ...], limits: Limits, resize: bool
) -> Intake:
    """Reads an archive: its faces, and why other members were refused.

    Args:
        archive: A zip of `ORIGINAL_SPLIT/CLASS/image`, below any other folders.
        expressions: The classes to take.
        limits: How much the archive may hold.
        resize: Whether images of another size are scaled to 48x48 or refused.

    Raises:
        UserError: The archive as a whole cannot be read, or is unsafe to read.
    """
    rows: list[tuple[object, ...]] = []
    rejected: list[tuple[str, str]] = []
    folders = {TRAINING}
    with open_archive(archive, limits) as opened, warnings_refused():
        # Pages that no face fills are never touched.
        pixels = np.empty((len(opened.members), FACE_SIZE, FACE_SIZE), np.uint8)
        for member in opened.members:
            try:
                original_split, label = _place(member.path, expressions)
                folders.add(original_split)
                face = decode_face(opened.read(member), resize=resize)
            except (MemberError, ImageError) as error:
                rejected.append((member.path, str(error)))
                continue
            pixels[len(rows)] = face.pixels
            pixel_hash = hashlib.sha256(face.pixels.tobytes()).hexdigest()
            facts = (face.width, face.height, face.mode, face.format)
            rows.append((member.path, original_split, label, pixel_hash, *facts))
        num_skipped, metadata = opened.num_junk, manifest_metadata(opened.comment)
    pixels = pixels[: len(rows)]
    columns = [name for name in MANIFEST_COLUMNS if name not in (MEAN, STD)]
    manifest = pd.DataFrame(rows, columns=columns)
    manifest[MEAN], manifest[STD] = _moments(pixels)
    refused = pd.DataFrame(rejected, columns=[PATH, REASON])
    original_splits = tuple(one for one in ORIGINAL_SPLITS if one in folders)
    return Intake(manifest, pixels, refused, num_skipped, metadata, original_splits)


def _place(path: str, expressions: tuple[str, ...]) -> tuple[str, str]:
    """Original split and label of a member, from the last two of its folders."""
    split_folder, label_folder = ["", "", *path.split("/")][-3:-1]
    original_split = ORIGINAL_SPLIT_FOLDERS.get(split_folder.casefold())
    if original_split is None:
        raise MemberError("misplaced: not in Training/CLASS or Testing/CLASS")
    label = expression_of_folder(label_folder, expressions)
    if label is None:
        raise MemberError(
            f"unknown class: folder {label_folder!r} is none of `data.expressions` "
            f"({', '.join(expressions)})"
        )
    return original_split, label


def _moments(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each face, float64 (N,), from exact sums of integers."""
    size = FACE_SIZE * FACE_SIZE
    total = pixels.sum(axis=(1, 2), dtype=np.int64)
    squares = np.einsum("nij,nij->n", pixels, pixels, dtype=np.int64)
    return total / size, np.sqrt(size * squares - total**2) / size


def write_faces(intake: Intake, manifest: Path, pixels: Path) -> None:
    """Writes the faces; both files are complete before either is put in its place."""
    with atomic_write(pixels) as beside:
        with beside.open("wb") as stream:
            np.save(stream, intake.pixels, allow_pickle=False)
        write_table(intake.manifest, manifest, metadata=intake.metadata)


def _missing(archive: Path) -> UserError:
    """What to do where there is no archive, or where one lies there under another name."""
    how = (
        f"download it from Kaggle, https://www.kaggle.com/datasets/{DATASET}, and save it there; "
        "`make demo` needs none"
    )
    found = sorted(file.name for file in archive.parent.glob("*.[zZ][iI][pP]") if file.exists())
    if found:
        how = f"{', '.join(map(repr, found))} lies there: rename it to {archive.name}"
    return UserError(f"{archive} is missing: {how}")


def main() -> None:
    """Reads the archive; writes `rejected.csv`, and unless it fails the manifest and the pixels."""
    flags = stage.parse_flags(__doc__, "raw", "manifest", "pixels", "rejected")
    settings = read_settings(IngestSettings, "ingest")
    expressions = read_settings(DataSettings, "data").expressions
    archive = flags.raw / ARCHIVE_NAME
    if not archive.exists():
        raise _missing(archive)
    limits, resize = Limits(**settings.model_dump(include=_LIMITS)), settings.resize
    intake = take_faces(archive, expressions=expressions, limits=limits, resize=resize)
    with atomic_write(flags.rejected) as beside:
        intake.rejected.to_csv(beside, index=False, lineterminator="\n")
    logger.info("%s", intake_table(intake, expressions))
    if TESTING not in intake.original_splits:
        logger.warning(
            "warning: %s has no folder Testing: the stage `split` draws `test` from Training "
            "(`split.test_fraction`)",
            archive,
        )
    check_intake(
        intake,
        archive=archive,
        expressions=expressions,
        max_rejected_fraction=settings.max_rejected_fraction,
        rejected_file=flags.rejected,
    )
    write_faces(intake, flags.manifest, flags.pixels)
    logger.info("ingest: %d faces -> %s, %s", len(intake.pixels), flags.manifest, flags.pixels)


if __name__ == "__main__":
    stage.run(main)
