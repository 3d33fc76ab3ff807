"""The face store: the manifest and, row for row, the pixels."""

from pathlib import Path

import numpy as np
import pandas as pd

from fer_data.core.errors import UserError
from fer_data.core.schema import FACE_SIZE
from fer_data.core.tables import read_array, read_table


def read_pixels(file: Path) -> np.ndarray:
    """The pixels of all N faces: uint8 (N, 48, 48), 0 black to 255 white, mapped and not read.

    Raises:
        UserError: The file is missing or holds something else.
    """
    pixels = read_array(file)
    expected = (*pixels.shape[:1], FACE_SIZE, FACE_SIZE)
    if pixels.dtype != np.uint8 or pixels.shape != expected:
        raise UserError(
            f"{file} holds {pixels.dtype} {pixels.shape}, expected uint8 {expected}: "
            "`dvc repro ingest` makes it again"
        )
    return pixels


def read_faces(manifest: Path, pixels: Path) -> tuple[pd.DataFrame, np.ndarray]:
    """The manifest (N rows) and the pixels, uint8 (N, 48, 48), in the same order.

    Raises:
        UserError: One of the files is missing, or their lengths differ.
    """
    rows, faces = read_table(manifest), read_pixels(pixels)
    if len(rows) != len(faces):
        raise UserError(
            f"{manifest} has {len(rows)} rows, {pixels} {len(faces)} faces: run `dvc repro`"
        )
    return rows, faces
