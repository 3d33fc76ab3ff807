"""Reads still images: JPEG, PNG, WebP and others, upright, as RGB, within limits of size."""

import io
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from fer_data.core.errors import UserError

FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "BMP", "TIFF", "GIF")
MOST_PIXELS = 50_000_000
MOST_BYTES = 100_000_000

# What Pillow's decoders and its reader of EXIF data raise on damaged files.
_DAMAGE = (
    *(OSError, SyntaxError, ValueError, OverflowError, EOFError, TypeError),
    *(IndexError, KeyError, AttributeError, struct.error, zlib.error, MemoryError),
    RuntimeError,  # of an AVIF
)


def read_image(source: Path | bytes | Image.Image | np.ndarray) -> np.ndarray:
    """Reads one still image, rotated as its EXIF data says, on white where it is transparent.

    Args:
        source: A file, the bytes of one, an image of Pillow, or an array: uint8 (H, W) or (H, W, 1),
            gray, or (H, W, 3), RGB.

    Returns:
        uint8 (H, W, 3), RGB.

    Raises:
        UserError: It cannot be read, is no image, is damaged, has more than `MOST_PIXELS` or several
            frames, is of another format than `FORMATS`, such as HEIC or PDF, or is an array of another
            type or shape.
    """
    if isinstance(source, np.ndarray):
        return _of_array(source)
    if isinstance(source, Image.Image):
        return _of_pillow(source)
    name = "the image" if isinstance(source, bytes) else str(source)
    data = source if isinstance(source, bytes) else _bytes_of(source)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd EXIF data and, above our own limit, of size
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                return _upright(image, name)
    except UnidentifiedImageError:
        raise UserError(f"{name} {_other_format(data)}: expected JPEG, PNG or WebP") from None
    except Image.DecompressionBombError:
        raise _too_large(name) from None
    except _DAMAGE:
        raise UserError(f"{name} is damaged: it may have been cut off") from None


def _of_array(pixels: np.ndarray) -> np.ndarray:
    """A copy of an array as an image in color."""
    shape = pixels.shape
    is_gray = len(shape) == 2 or (len(shape) == 3 and shape[2] == 1)
    if pixels.dtype != np.uint8 or not (is_gray or (len(shape) == 3 and shape[2] == 3)):
        raise UserError(
            f"an array of {pixels.dtype} {shape} is no image: expected uint8 (H, W), gray, or "
            "(H, W, 3), RGB"
        )
    if not pixels.size:
        raise UserError(f"an array of {shape} has no pixel: expected an image")
    if shape[0] * shape[1] > MOST_PIXELS:
        raise _too_large("the array")
    gray = pixels.reshape(*shape[:2], -1)
    return np.ascontiguousarray(np.broadcast_to(gray, (*shape[:2], 3)))


def _of_pillow(image: Image.Image) -> np.ndarray:
    """The pixels of an image that somebody opened or made."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _upright(image, "the image")
    except (*_DAMAGE, AssertionError):  # Pillow's, of a closed file
        raise UserError("the image is damaged, or its file is closed: open it again") from None


def _upright(image: Image.Image, name: str) -> np.ndarray:
    """The pixels of an open image, which is left as it is."""
    _check(image, name)
    orientation = image.getexif().get(ExifTags.Base.Orientation)
    upright = _in_color(image)
    # Pillow writes EXIF data back, which can fail on odd ones: only the orientation stays.
    upright.info = {}
    upright.getexif()[ExifTags.Base.Orientation] = orientation
    return np.asarray(ImageOps.exif_transpose(upright))


def _bytes_of(file: Path) -> bytes:
    try:
        if file.stat().st_size > MOST_BYTES:
            raise UserError(f"{file} is too large: expected at most {MOST_BYTES // 10**6} MB")
        return file.read_bytes()
    except OSError as error:
        raise UserError(f"{file}: {error.strerror}") from None


def _check(image: Image.Image, name: str) -> None:
    """Refuses, before a pixel is decoded, images that are too large or animated."""
    if image.width * image.height > MOST_PIXELS:
        raise _too_large(name)
    # A phone's JPEG can hold a second, small image: the first one counts.
    if image.format != "MPO" and getattr(image, "n_frames", 1) > 1:
        raise UserError(f"{name} has several frames (an animated {image.format}): expected one")


def _too_large(name: str) -> UserError:
    return UserError(f"{name} is huge: expected at most {MOST_PIXELS // 10**6} million pixels")


def _in_color(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bits, which Pillow would cut off at 255
        image = Image.fromarray((np.asarray(image) // 257).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("RGB")


def _other_format(data: bytes) -> str:
    """Names the format of bytes that are none of `FORMATS`, as far as their first ones tell."""
    if data[4:8] == b"ftyp" and data[8:12] in (b"heic", b"heix", b"hevc", b"mif1", b"msf1"):
        return "is HEIC"
    if data[4:8] == b"ftyp" and data[8:12] in (b"avif", b"avis"):
        return "is AVIF that is damaged"
    if data[4:8] == b"ftyp":
        return "is a video"
    return "is PDF" if data.startswith(b"%PDF") else "is not an image" if data else "is empty"
