"""The detector's weights, and crowds."""

import os
import pickle
from pathlib import Path

import joblib
import numpy as np
from PIL import Image

from fer_models.detection.mtcnn import Cascade
from tests.support.models.scenes import drawn_face, scene

WEIGHTS = ("pnet.lz4", "rnet.lz4", "onet.lz4")


class Touching:
    """Makes a file where it is unpickled."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple:
        return os.mknod, (str(self.file),)


def test_weights_that_lie_in_the_folder_are_not_run(tmp_path: Path, monkeypatch) -> None:
    touched = tmp_path / "touched"
    for name in WEIGHTS:
        (tmp_path / name).write_bytes(pickle.dumps(Touching(touched)))
    joblib.load(tmp_path / WEIGHTS[0])
    assert touched.exists()  # so it would have done harm
    touched.unlink()
    monkeypatch.chdir(tmp_path)
    found = Cascade().detect(scene((30, 60, 100)))
    assert not touched.exists()
    assert len(found.boxes) == 1


def crowd(columns: int, rows: int, *, side: int) -> np.ndarray:
    """That many faces, uint8 (H, W, 3)."""
    pitch = side * 3 // 2
    image = Image.new("RGB", (columns * pitch, rows * pitch), (90, 90, 90))
    for number in range(columns * rows):
        row, column = divmod(number, columns)
        face = Image.fromarray(drawn_face(number)).resize((side, side), Image.Resampling.BICUBIC)
        image.paste(face.convert("RGB"), (column * pitch + side // 4, row * pitch + side // 4))
    return np.asarray(image)


def test_a_crowd_loses_few_faces() -> None:
    found = Cascade().detect(crowd(20, 14, side=34))
    assert (found.confidences >= 0.7).sum() >= 265  # of 280; 300 proposals left 212
