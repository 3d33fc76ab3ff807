"""Measures where the detector finds eyes, nose and mouth in the archive's faces: `ARCHIVE_POINTS`.

    python benchmarks/average_face.py                # a thousand faces of `train`
    python benchmarks/average_face.py --faces 4000

Run it in a workspace where `dvc repro split` has run. The medians are not made symmetric: where the
detector leans to one side, it leans in every image, and the alignment must undo it.
"""

import argparse

import numpy as np
from PIL import Image

from fer_data.core.catalog import output
from fer_data.core.face_store import read_pixels
from fer_data.core.schema import FACE_SIZE, SPLIT, TRAIN
from fer_data.core.tables import read_table
from fer_models.detection.alignment import ARCHIVE_POINTS
from fer_models.detection.face_detector import SURE
from fer_models.detection.mtcnn import Cascade

ENLARGED, MARGIN = 4, 48


def points_of(face: np.ndarray, cascade: Cascade) -> np.ndarray | None:
    """The five points (5, 2) of a face, uint8 (48, 48), in its pixels; None where none is sure."""
    side = ENLARGED * FACE_SIZE
    large = Image.fromarray(face).resize((side, side), Image.Resampling.BICUBIC)
    framed = np.pad(np.asarray(large), MARGIN, constant_values=128)
    found = cascade.detect(np.repeat(framed[..., np.newaxis], 3, axis=2))
    if not len(found.boxes) or found.confidences[0] < SURE:
        return None
    return (found.points[0] - MARGIN) / ENLARGED


def main() -> None:
    """Prints the median of each point, and how far faces lie around it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faces", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    flags = parser.parse_args()
    splits = read_table(output("split", "assignments.parquet"))[SPLIT]
    pixels = read_pixels(output("ingest", "pixels.npy"))
    generator = np.random.default_rng(flags.seed)
    rows = generator.choice(np.flatnonzero(splits == TRAIN), flags.faces, replace=False)
    cascade = Cascade()
    found = [points_of(np.asarray(pixels[row]), cascade) for row in rows]
    points = np.array([one for one in found if one is not None])
    print(f"found in {len(points)} of {len(rows)} faces of `{TRAIN}`")
    names = ("left eye", "right eye", "nose", "mouth's left", "mouth's right")
    medians, spreads = np.median(points, axis=0), points.std(axis=0)
    for name, median, spread, kept in zip(names, medians, spreads, ARCHIVE_POINTS, strict=True):
        print(
            f"{name:<14} x {median[0]:5.2f} +- {spread[0]:4.2f}   y {median[1]:5.2f} +- {spread[1]:4.2f}"
            f"   ARCHIVE_POINTS: {kept[0]:.1f}, {kept[1]:.1f}"
        )


if __name__ == "__main__":
    main()
