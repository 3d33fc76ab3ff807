"""Decodes a JPEG or PNG image of a face to 48x48 gray levels."""

import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from fer_data.core.schema import FACE_SIZE

FORMATS = ("JPEG", "PNG")
MODES = ("1", "L", "P", "RGB")
"""Pillow's modes that become gray without losing a channel of their own."""
MIN_SIDE = FACE_SIZE // 2
MAX_SIDE = 4096
MAX_ASPECT = 1.25
"""Sides, in pixels, and longer side over shorter, of an image that may be resized."""

_JPEG_START = b"\xff\xd8\xff"
_PNG_START = b"\x89PNG\r\n\x1a\n"
_PNG_END = b"IEND\xaeB`\x82"
_OTHER_STARTS = {
    b"GIF8": "GIF",
    b"BM": "BMP",
    b"RIFF": "WebP",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"%PDF": "PDF",
    b"P5": "PGM",
}
_BOMB = (Image.DecompressionBombError, Image.DecompressionBombWarning)
# What Pillow's decoders and its reader of EXIF data raise on damaged files.
_DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    OverflowError,
    EOFError,
    TypeError,
    IndexError,
    struct.error,
    zlib.error,
    UserWarning,
)


# Value of the EXIF tag `Orientation` (TIFF 6.0, page 36) to what undoes it.
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class ImageError(Exception):
    """Why an image cannot be taken: `kind: details`."""


@dataclass(frozen=True, slots=True)
class Face:
    """A decoded image, and what it was."""

    pixels: np.ndarray
    """uint8 (48, 48), 0 black to 255 white."""
    width: int
    """Of the image as people see it: after the rotation that its EXIF data asks for."""
    height: int
    mode: str
    """Pillow's name for its channels, such as `L` or `RGB`."""
    format: str
    """`JPEG` or `PNG`."""


@contextmanager
def warnings_refused() -> Iterator[None]:
    """While it lasts, `decode_face` refuses an image that Pillow warns about.

    Pillow only warns about a large decompression bomb, and about EXIF data, and so a rotation, that
    it cannot read. Setting warnings up costs much more than a decoding: do it around the loop.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        warnings.filterwarnings("error", category=UserWarning, module=r"PIL\.")
        yield


def decode_face(data: bytes, *, resize: bool) -> Face:
    """Decodes an image, turns it upright and makes it gray (ITU-R 601-2 luma).

    Format, channels and size are read from the header, and refused, before any pixel is decoded.

    Args:
        data: The whole file.
        resize: Whether an image of another size is scaled to 48x48 (Lanczos, antialiased) or
            refused. Sides of 24 to 4096 pixels are scaled, the longer at most 1.25 times the
            shorter: there is too little face in smaller ones, and longer ones would be distorted.

    Returns:
        The face, its pixels uint8 (48, 48).

    Raises:
        ImageError: The image is empty, damaged, of another format or size, or has an alpha
            channel, 16 bits, CMYK colors or several frames.
    """
    if not data:
        raise ImageError("empty: 0 bytes")
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            mode, format_name = image.mode, str(image.format)
            _check_header(image, data, resize=resize)
            gray = _upright(image.convert("L"), image.getexif().get(ExifTags.Base.Orientation))
    except UnidentifiedImageError:
        raise ImageError(_unidentified(data)) from None
    except _BOMB:
        raise ImageError(_bomb()) from None
    except _DAMAGE as error:
        raise ImageError(f"damaged: {error}") from None
    width, height = gray.size
    if gray.size != (FACE_SIZE, FACE_SIZE):
        gray = gray.resize((FACE_SIZE, FACE_SIZE), Image.Resampling.LANCZOS)
    return Face(np.asarray(gray), width, height, mode, format_name)


def _upright(image: Image.Image, orientation: object) -> Image.Image:
    """Turns an image upright.

    `ImageOps.exif_transpose` also writes the EXIF data again, which fails on unusual but harmless tags.
    """
    method = _UPRIGHT.get(orientation) if isinstance(orientation, int) else None
    return image if method is None else image.transpose(method)


def _check_header(image: Image.Image, data: bytes, *, resize: bool) -> None:
    if getattr(image, "is_animated", False):  # APNG, or a JPEG of several: MPO
        raise ImageError("several frames: expected one image")
    if image.format == "PNG":
        _check_png(data)
    if image.mode == "CMYK":
        raise ImageError("CMYK: expected gray or RGB")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        raise ImageError(f"transparency: mode {image.mode}, expected no alpha channel")
    if image.mode not in MODES:
        raise ImageError(f"other mode: {image.mode}, expected one of {', '.join(MODES)}")
    _check_size(*image.size, resize=resize)


def _check_png(data: bytes) -> None:
    # Pillow opens 16-bit color as 8-bit `RGB`: only the first chunk tells.
    header = data[len(_PNG_START) : 33]
    if header[4:8] != b"IHDR":
        raise ImageError("damaged: the PNG does not begin with its header")
    if header[16] == 16:
        raise ImageError("16 bit: expected 8 bits a channel")
    # Pillow is content once the pixels are there.
    if _PNG_END not in data:
        raise ImageError("damaged: the PNG ends early")


def _check_size(width: int, height: int, *, resize: bool) -> None:
    short, long = sorted((width, height))
    if long > MAX_SIDE:
        raise ImageError(_bomb())
    if short == long == FACE_SIZE:
        return
    size = f"wrong size: {width}x{height}"
    if not resize:
        raise ImageError(f"{size}, expected {FACE_SIZE}x{FACE_SIZE} (or `ingest.resize: true`)")
    if short < MIN_SIDE or long > MAX_ASPECT * short:
        raise ImageError(f"{size}, to be resized expected nearly square, {MIN_SIDE} or more")


def _bomb() -> str:
    return f"decompression bomb: expected at most {MAX_SIDE}x{MAX_SIDE} pixels"


def _unidentified(data: bytes) -> str:
    if data.startswith((_JPEG_START, _PNG_START)):
        return "damaged: the image's header is broken"
    for start, name in _OTHER_STARTS.items():
        if data.startswith(start):
            return f"other format: {name}, expected JPEG or PNG"
    return "not an image: expected JPEG or PNG"
