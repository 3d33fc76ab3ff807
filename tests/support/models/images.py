"""Images of drawn faces that are not in the middle, for the tests of who reads them."""

import io

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from fer_data.synthetic.faces import draw_face


def background(*, width: int = 720, height: int = 480, seed: int = 0) -> Image.Image:
    """Soft colors with a little noise, and no face."""
    y, x = np.mgrid[0:height, 0:width]
    colors = [
        150 + 30 * np.sin(x / 190) + 30 * y / height,
        140 + 25 * np.cos(y / 130),
        130 + 20 * np.sin((x + y) / 210),
    ]
    noise = np.random.default_rng(seed).normal(0, 4, (height, width, 3))
    return Image.fromarray(np.clip(np.stack(colors, -1) + noise, 0, 255).astype(np.uint8))


def paste_face(
    image: Image.Image, expression: str, *, seed: int, at: tuple[int, int], side: int
) -> None:
    """Draws somebody into an image, with soft edges."""
    face = Image.fromarray(draw_face(expression, np.random.default_rng(seed)))
    mask = Image.new("L", (side, side), 0)
    ImageDraw.Draw(mask).ellipse((4, -side // 8, side - 4, side + side // 8), fill=255)
    large = face.resize((side, side), Image.Resampling.BICUBIC).convert("RGB")
    image.paste(large, at, mask.filter(ImageFilter.GaussianBlur(6)))


def two_faces() -> Image.Image:
    """Somebody happy on the left, somebody surprised on the right."""
    image = background()
    paste_face(image, "happy", seed=3, at=(60, 170), side=210)
    paste_face(image, "surprise", seed=5, at=(430, 60), side=190)
    return image


def encoded(image: Image.Image, form: str = "PNG") -> bytes:
    """The bytes of a file."""
    buffer = io.BytesIO()
    image.save(buffer, form)
    return buffer.getvalue()
