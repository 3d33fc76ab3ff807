"""Faces in any image: an image goes in, its faces as the networks know them come out.

Everything that shows a network a face of an image goes through here: the command line, videos, the app
and the benchmarks. A face is turned and scaled so that its eyes, nose and mouth lie where they lie in
the archive's average face, and made grey and 48x48.
"""

import io
import struct
import warnings
import zlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from fer_data.core.errors import UserError
from fer_data.core.schema import FACE_SIZE
from fer_models.detection.alignment import aligned, coverage
from fer_models.detection.boxes import Detections, agreed
from fer_models.detection.mtcnn import Cascade

FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "BMP", "TIFF", "GIF")
MOST_PIXELS = 50_000_000
MOST_BYTES = 100_000_000

SURE = 0.7
"""The confidence, 0 to 1, from which on a face is one of those that are found."""
PERHAPS = 0.4
"""The confidence that the surest face of a video's frame needs where none is sure."""

# What Pillow's decoders and its reader of EXIF data raise on damaged files.
_DAMAGE = (
    *(OSError, SyntaxError, ValueError, OverflowError, EOFError, TypeError),
    *(IndexError, KeyError, AttributeError, struct.error, zlib.error, MemoryError),
)

_LOOKS = ((1.0, False), (1.0, True), (0.6, False), (0.6, True))
"""At which part of its size, and whether in the mirror, an image is looked at while no face is sure:
the networks often see there what they have missed."""
_CROP_ASPECT = 1.25
_CROP_SIDE = 2 * FACE_SIZE
_LEAST_CROP_SIDE = FACE_SIZE // 2  # as of the archive's faces that may be resized
_CROP_OVERLAP = 0.75


@dataclass(frozen=True)
class Face:
    """A face of an image."""

    box: tuple[int, int, int, int]
    """Left, top, width and height, in pixels of the image, inside of it."""
    eyes: tuple[tuple[float, float], tuple[float, float]] | None
    """x and y of either, in pixels, the one on the left of the image first; None if nobody looked."""
    pixels: np.ndarray
    """uint8 (48, 48), as the networks take it."""
    confidence: float
    """How sure the detector is, 0 to 1; 1 for a face crop taken as it is, 0 for a whole image."""


class FaceFinder:
    """Finds faces; its networks are loaded when the first image needs them."""

    def __init__(self) -> None:
        """Loads nothing yet."""
        self._loaded: Cascade | None = None

    @property
    def _cascade(self) -> Cascade:
        if self._loaded is None:
            self._loaded = Cascade()
        return self._loaded

    def find(self, image: np.ndarray, *, smallest_face: float = 0.0) -> list[Face]:
        """Finds all faces of an image.

        Args:
            image: uint8 (H, W, 3), RGB.
            smallest_face: Side, in pixels, of the smallest face that is looked for; the larger, the
                faster. The least is 20, and in images above 1024 pixels a fiftieth of the side.

        Returns:
            The faces, from left to right: all sure ones, or else the one that several looks agree on;
            none if there is none. An image that is a face crop already is one face, just as it is.
        """
        if is_small_crop(image):
            return [replace(whole_image(image), confidence=1.0)]
        faces, points = _faces(image, self._searched(image, smallest_face))
        if len(faces) == 1 and coverage(points[0], image.shape) > _CROP_OVERLAP:
            return [replace(whole_image(image), confidence=1.0)]
        return faces

    def look(self, image: np.ndarray, *, smallest_face: float = 0.0) -> list[Face]:
        """Finds all faces of a frame of a video, which is never a face crop; else as `find` does."""
        found = self._cascade.detect(image, smallest_face=smallest_face)
        return _faces(image, _sure_or_first(found))[0]

    def follow(self, image: np.ndarray, faces: list[Face]) -> list[Face]:
        """Finds faces again that the frame before showed: much less work than `look`.

        Returns:
            Those that are still there, from left to right.
        """
        boxes = np.array([_corners(face.box) for face in faces], np.float64).reshape(-1, 4)
        return _faces(image, _sure_or_first(self._cascade.place(image, boxes)))[0]

    def _searched(self, image: np.ndarray, smallest_face: float) -> Detections:
        """The sure faces of the first look that has any; else the one that all looks agree on."""
        looks: list[Detections] = []
        for reduced, mirrored in _LOOKS:
            shown = np.ascontiguousarray(image[:, ::-1]) if mirrored else image
            found = self._cascade.detect(shown, smallest_face=smallest_face, reduced=reduced)
            looks.append(found.mirrored(image.shape[1]) if mirrored else found)
            if found.best >= SURE:
                return _sure(looks[-1])
        return agreed(looks)


def whole_image(image: np.ndarray) -> Face:
    """The middle square of an image, uint8 (H, W, 3), as if it were a face: for want of one."""
    height, width = image.shape[:2]
    side = min(height, width)
    left, top = (width - side) // 2, (height - side) // 2
    grey = Image.fromarray(image).convert("L").crop((left, top, left + side, top + side))
    size = (FACE_SIZE, FACE_SIZE)
    if grey.size != size:
        grey = grey.resize(size, Image.Resampling.LANCZOS)
    return Face((left, top, side, side), None, np.asarray(grey), confidence=0.0)


def is_small_crop(image: np.ndarray) -> bool:
    """Whether an image is nearly square and too small for anything but a face.

    Icons, with too little in them to tell a face by, and images of one colour are none.
    """
    short, long = sorted(image.shape[:2])
    if short < _LEAST_CROP_SIDE or image.min() == image.max():
        return False
    return long <= _CROP_SIDE and long <= _CROP_ASPECT * short


def read_image(source: Path | bytes) -> np.ndarray:
    """Reads one still image, turned upright as its EXIF data says, on white where it is transparent.

    Args:
        source: A file, or the bytes of one.

    Returns:
        uint8 (H, W, 3), RGB.

    Raises:
        UserError: It cannot be read, is no image, is damaged, has more than `MOST_PIXELS` or several
            frames, or is of another format than `FORMATS`, such as HEIC or PDF.
    """
    name = "the image" if isinstance(source, bytes) else str(source)
    data = source if isinstance(source, bytes) else _bytes_of(source)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd EXIF data and, above our own limit, of size
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                _check(image, name)
                turn = image.getexif().get(ExifTags.Base.Orientation)
                upright = _in_colour(image)
                # Written anew, whole EXIF data can fail: only the turn is kept.
                upright.info = {}
                upright.getexif()[ExifTags.Base.Orientation] = turn
                return np.asarray(ImageOps.exif_transpose(upright))
    except UnidentifiedImageError:
        raise UserError(f"{name} {_other_format(data)}: expected JPEG, PNG or WebP") from None
    except Image.DecompressionBombError:
        raise _too_large(name) from None
    except _DAMAGE:
        raise UserError(f"{name} is damaged: it may have been cut off") from None


def _bytes_of(file: Path) -> bytes:
    try:
        if file.stat().st_size > MOST_BYTES:
            raise UserError(f"{file} is too large: expected at most {MOST_BYTES // 10**6} MB")
        return file.read_bytes()
    except OSError as error:
        raise UserError(f"{file}: {error.strerror}") from None


def _check(image: Image.Image, name: str) -> None:
    """Refuses, before a pixel is decoded, what is too large or moves."""
    if image.width * image.height > MOST_PIXELS:
        raise _too_large(name)
    # A phone's JPEG can hold a second, small image: the first one counts.
    if image.format != "MPO" and getattr(image, "n_frames", 1) > 1:
        raise UserError(f"{name} has several frames (an animated {image.format}): expected one")


def _too_large(name: str) -> UserError:
    return UserError(f"{name} is huge: expected at most {MOST_PIXELS // 10**6} million pixels")


def _in_colour(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bits, which Pillow would cut off at 255
        image = Image.fromarray((np.asarray(image) // 257).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("RGB")


def _other_format(data: bytes) -> str:
    """What bytes are that Pillow does not take for one of our formats."""
    if data[4:8] == b"ftyp" and data[8:12] in (b"heic", b"heix", b"hevc", b"mif1", b"msf1"):
        return "is HEIC"
    if data[4:8] == b"ftyp" and data[8:12] in (b"avif", b"avis"):
        return "is AVIF that is damaged"
    if data[4:8] == b"ftyp":
        return "is a video"
    return "is PDF" if data.startswith(b"%PDF") else "is not an image" if data else "is empty"


def _sure(found: Detections) -> Detections:
    return found.only(np.flatnonzero(found.confidences >= SURE).tolist())


def _sure_or_first(found: Detections) -> Detections:
    return _sure(found) if found.best >= SURE or found.best < PERHAPS else found.only([0])


def _faces(image: np.ndarray, found: Detections) -> tuple[list[Face], list[np.ndarray]]:
    """The faces that were found, from left to right, and the five points of each."""
    height, width = image.shape[:2]
    faces: list[Face] = []
    shown = np.argsort(found.boxes[:, 0])
    for number in shown:
        left, top, right, bottom = found.boxes[number].round().astype(int).tolist()
        left, top = max(left, 0), max(top, 0)
        box = left, top, min(right, width) - left, min(bottom, height) - top
        points = found.points[number]
        eyes = tuple(points[0].tolist()), tuple(points[1].tolist())
        confidence = float(found.confidences[number])
        faces.append(Face(box, eyes, aligned(image, points), confidence))
    return faces, list(found.points[shown])


def _corners(box: tuple[int, int, int, int]) -> list[int]:
    left, top, width, height = box
    return [left, top, left + width, top + height]
