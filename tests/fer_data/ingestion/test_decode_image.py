import io
import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image, ImageFile, ImageOps

from fer_data.ingestion.decode_image import ImageError, decode_face, warnings_refused
from tests.support.data.archives import bare_png, encode, image, noise, png_of


def with_orientation(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


@pytest.mark.parametrize("mode", ["L", "RGB", "P", "1"])
def test_decodes_png_of_every_accepted_mode(mode: str) -> None:
    image = Image.fromarray(noise(3)).convert(mode)
    face = decode_face(encode(image, "PNG"), resize=False)
    np.testing.assert_array_equal(face.pixels, np.asarray(image.convert("L")))
    assert face.pixels.dtype == np.uint8
    assert (face.width, face.height, face.mode, face.format) == (48, 48, mode, "PNG")


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("progressive", [False, True])
def test_decodes_jpeg(mode: str, progressive: bool) -> None:
    data = image(mode=mode, kind="JPEG", progressive=progressive)
    face = decode_face(data, resize=False)
    expected = np.asarray(Image.open(io.BytesIO(data)).convert("L"))
    np.testing.assert_array_equal(face.pixels, expected)
    assert (face.mode, face.format) == (mode, "JPEG")


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_applies_exif_rotation(orientation: int, kind: str) -> None:
    data = image(kind=kind, exif=with_orientation(orientation))
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    face = decode_face(data, resize=False)
    np.testing.assert_array_equal(face.pixels, np.asarray(expected))


def test_exif_rotation_swaps_the_recorded_sides() -> None:
    data = image(size=(60, 50), exif=with_orientation(6))
    face = decode_face(data, resize=True)
    assert (face.width, face.height) == (50, 60)


@pytest.mark.parametrize("orientation", [0, 9])
def test_ignores_an_unknown_exif_rotation(orientation: int) -> None:
    face = decode_face(image(7, exif=with_orientation(orientation)), resize=False)
    np.testing.assert_array_equal(face.pixels, noise(7))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "^empty: 0 bytes"),
        (b"Dear reader,\n", "^not an image: expected JPEG or PNG"),
        (bytes(2000), "^not an image"),
        (image(kind="GIF"), "^other format: GIF"),
        (image(kind="BMP"), "^other format: BMP"),
        (image(kind="TIFF"), "^other format: TIFF"),
        (image(kind="WEBP"), "^other format: WebP"),
        (b"\xff\xd8\xff" + bytes(99), "^damaged: the image's header is broken"),
        (image(size=(64, 48)), r"^wrong size: 64x48, expected 48x48 \(or `ingest.resize: true`"),
        (image(mode="CMYK", kind="JPEG"), "^CMYK"),
        (image(mode="RGBA"), "^transparency: mode RGBA"),
        (image(mode="LA"), "^transparency: mode LA"),
        (image(transparency=7), "^transparency: mode L,"),
        (image(mode="P", transparency=7), "^transparency: mode P"),
        (encode(Image.fromarray(noise(0).astype(np.uint16)), "PNG"), "^16 bit"),
        (bare_png(48, 48, depth=16, color=2), "^16 bit"),
        (
            image(save_all=True, append_images=[Image.fromarray(noise(1))]),
            "^several frames",
        ),
        (
            image(
                kind="MPO", mode="RGB", save_all=True, append_images=[Image.new("RGB", (48, 48))]
            ),
            "^several frames",
        ),
    ],
)
def test_refuses(data: bytes, message: str) -> None:
    with pytest.raises(ImageError, match=message):
        decode_face(data, resize=False)


def test_what_pillow_makes_of_16_bit_color() -> None:
    # The reason for looking at the header: the image's mode does not tell.
    assert Image.open(io.BytesIO(bare_png(48, 48, depth=16, color=2))).mode == "RGB"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(image(kind="JPEG"), id="jpeg"),
        pytest.param(image(kind="JPEG", mode="RGB", progressive=True), id="progressive"),
        pytest.param(image(), id="png"),
        pytest.param(image(mode="P"), id="palette"),
    ],
)
def test_refuses_an_image_cut_anywhere(data: bytes) -> None:
    decode_face(data, resize=False)
    for size in {*range(1, len(data), 23), *range(len(data) - 25, len(data))}:
        with pytest.raises(ImageError, match=r"^(damaged|not an image): "):
            decode_face(data[:size], resize=False)


HEADER = (b"IHDR", struct.pack(">IIBBBBB", 48, 48, 8, 0, 0, 0, 0))
PIXELS = zlib.compress(np.insert(noise(0), 0, 0, axis=1).tobytes())
END = (b"IEND", b"")


@pytest.mark.parametrize(
    ("chunks", "message"),
    [
        ([(b"IHDR", b"short"), END], "^damaged: Truncated IHDR"),
        ([HEADER, (b"IDAT", PIXELS[:99]), (b"\xff\0\0\0", b""), END], "^damaged: broken PNG file"),
        ([HEADER, (b"IDAT", PIXELS[:99]), END], "^damaged: image file is truncated"),
        ([HEADER, (b"IDAT", b"\xff" * 99), END], "^damaged: (un|broken)"),
        ([(b"gAMA", bytes(4)), HEADER, (b"IDAT", PIXELS), END], "^damaged: .* its header"),
    ],
)
def test_refuses_a_broken_png(chunks: list[tuple[bytes, bytes]], message: str) -> None:
    with pytest.raises(ImageError, match=message):
        decode_face(png_of(*chunks), resize=False)


def test_damaged_bytes_raise_nothing_else() -> None:
    sound = [
        image(kind="JPEG", mode="RGB", exif=with_orientation(6)),
        image(exif=with_orientation(3)),
        image(mode="P"),
    ]
    generator = np.random.default_rng(0)
    num_refused = 0
    for number in range(1500):
        data = bytearray(sound[number % len(sound)])
        for place in generator.integers(0, min(len(data), 400), size=3):
            data[place] = generator.integers(256)
        try:
            assert decode_face(bytes(data), resize=True).pixels.shape == (48, 48)
        except ImageError:
            num_refused += 1
    assert num_refused > 500


@pytest.mark.parametrize("side", [4097, 5_000, 10_000, 30_000])
@pytest.mark.parametrize("resize", [False, True])
def test_refuses_a_bomb_before_decoding_it(
    side: int, resize: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda _: pytest.fail("decoded"))
    with pytest.raises(ImageError, match=r"^decompression bomb: expected at most 4096x4096"):
        decode_face(bare_png(side, side), resize=resize)


@pytest.mark.parametrize("size", [(96, 96), (40, 48), (24, 24), (125, 100)])
def test_resizes_if_allowed(size: tuple[int, int]) -> None:
    face = decode_face(image(size=size), resize=True)
    assert face.pixels.shape == (48, 48)
    assert (face.width, face.height) == size


def test_resizes_with_antialiasing() -> None:
    board = np.indices((96, 96)).sum(axis=0) % 2 * np.uint8(255)
    face = decode_face(encode(Image.fromarray(board.astype(np.uint8)), "PNG"), resize=True)
    assert np.abs(face.pixels.astype(float) - 127.5).max() < 40


@pytest.mark.parametrize("size", [(23, 23), (126, 100), (48, 96)])
def test_resizes_nothing_tiny_or_oblong(size: tuple[int, int]) -> None:
    with pytest.raises(ImageError, match=f"^wrong size: {size[0]}x{size[1]}, to be resized"):
        decode_face(image(size=size), resize=True)


def test_leaves_a_face_of_the_right_size_alone() -> None:
    face = decode_face(image(5), resize=True)
    np.testing.assert_array_equal(face.pixels, noise(5))


def test_refuses_what_pillow_only_warns_about() -> None:
    exif = with_orientation(6).tobytes()
    data = image(kind="JPEG", exif=exif[:-8])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        decode_face(data, resize=False)
        with warnings_refused(), pytest.raises(ImageError, match=r"^damaged: Corrupt EXIF data"):
            decode_face(data, resize=False)
        decode_face(data, resize=False)
