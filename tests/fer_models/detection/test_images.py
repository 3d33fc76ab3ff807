import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from fer_data.core.errors import UserError
from fer_models.detection import images
from fer_models.detection.images import read_image
from tests.support.hostile import CHANGES, flipped, outcome

COLOURS = np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)


def saved(image: Image.Image, form: str, **options: object) -> bytes:
    image.save(stream := io.BytesIO(), form, **options)
    return stream.getvalue()


@pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF"])
def test_images_come_as_they_are(form: str, tmp_path: Path) -> None:
    data = saved(Image.fromarray(COLOURS), form)
    np.testing.assert_array_equal(read_image(data), COLOURS)
    (tmp_path / "image").write_bytes(data)
    np.testing.assert_array_equal(read_image(tmp_path / "image"), COLOURS)


@pytest.mark.parametrize("form", ["JPEG", "WEBP", "GIF", "AVIF"])
def test_lossy_formats_are_read_too(form: str) -> None:
    assert read_image(saved(Image.fromarray(COLOURS), form)).shape == (30, 40, 3)


def test_a_phone_s_image_is_turned_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright
    exif[0x010F] = "maker"
    data = saved(Image.fromarray(COLOURS), "PNG", exif=exif)
    np.testing.assert_array_equal(read_image(data), np.rot90(COLOURS, -1))


def test_transparent_parts_are_white() -> None:
    alpha = np.zeros((30, 40, 1), np.uint8)
    alpha[:10] = 255
    transparent = Image.fromarray(np.concatenate([COLOURS, alpha], axis=2))
    image = read_image(saved(transparent, "PNG"))
    np.testing.assert_array_equal(image[:10], COLOURS[:10])
    assert (image[10:] == 255).all()


def test_16_bits_become_8() -> None:
    deep = np.linspace(0, 65535, 1200).astype(np.uint16).reshape(30, 40)
    image = read_image(saved(Image.fromarray(deep), "PNG"))
    np.testing.assert_array_equal(image[..., 1], deep // 257)


def animated(form: str) -> bytes:
    frames = [Image.fromarray(COLOURS), Image.fromarray(255 - COLOURS)]
    return saved(frames[0], form, save_all=True, append_images=frames[1:])


def heic(brand: bytes) -> bytes:
    return b"\0\0\0\x18ftyp" + brand + bytes(40)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty: expected JPEG, PNG or WebP"),
        (b"hello", "is not an image: expected JPEG, PNG or WebP"),
        (heic(b"heic"), "is HEIC: expected JPEG, PNG or WebP"),
        (heic(b"mif1"), "is HEIC: expected"),
        (heic(b"isom"), "is a video: expected"),
        (heic(b"avif"), "is AVIF that is damaged"),
        (b"%PDF-1.7\n", "is PDF: expected"),
        (animated("GIF"), r"has several frames \(an animated GIF\): expected one"),
        (animated("WEBP"), r"has several frames \(an animated WEBP\)"),
        (animated("PNG"), r"has several frames \(an animated PNG\)"),
        (saved(Image.fromarray(COLOURS), "JPEG")[:-300], "is damaged: it may have been cut off"),
        (saved(Image.fromarray(COLOURS), "PNG")[:900], "is damaged"),
        (saved(Image.fromarray(COLOURS), "JPEG")[:20], "is not an image|is damaged"),
        (saved(Image.new("1", (9000, 9000)), "PNG"), "is huge: expected at most 50 million pixels"),
        (saved(Image.new("1", (20000, 20000)), "PNG"), "is huge: expected at most 50 million"),
    ],
)
def test_what_is_no_image_is_one_line(data: bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"^the image ({message})") as found:
        read_image(data)
    assert "\n" not in str(found.value)
    (file := tmp_path / "some.jpg").write_bytes(data)
    with pytest.raises(UserError, match=rf"some\.jpg ({message})"):
        read_image(file)


def test_files_that_cannot_be_opened_are_named(tmp_path: Path, monkeypatch) -> None:
    with pytest.raises(UserError, match=r"absent\.png: No such file"):
        read_image(tmp_path / "absent.png")
    with pytest.raises(UserError, match="Is a directory"):
        read_image(tmp_path)
    monkeypatch.setattr(images, "MOST_BYTES", 10_000_000)
    (large := tmp_path / "large.png").write_bytes(bytes(10_000_001))
    with pytest.raises(UserError, match="is too large: expected at most 10 MB"):
        read_image(large)


@example("AVIF", [(77, 0)], 0)
@given(
    st.sampled_from(["PNG", "JPEG", "WEBP", "GIF", "AVIF", "BMP", "TIFF"]),
    CHANGES,
    st.integers(0, 300),
)
def test_a_damaged_image_is_read_or_refused_in_one_line(
    form: str, changes: list[tuple[int, int]], cut: int
) -> None:
    data = saved(Image.new("L", (48, 48)), form)
    data = flipped(data, [(place % 300, value) for place, value in changes])
    image = outcome(lambda: read_image(data[: len(data) - cut]))
    assert isinstance(image, UserError) or image.ndim == 3
