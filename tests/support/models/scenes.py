"""Images larger than a face: drawn ones, pasted where a test knows it."""

import numpy as np
from PIL import Image

from fer_data.synthetic.faces import draw_face


def drawn_face(seed: int = 0, expression: str = "neutral") -> np.ndarray:
    """Somebody, uint8 (48, 48)."""
    return draw_face(expression, np.random.default_rng(seed))


def scene(
    *places: tuple[int, int, int], size: tuple[int, int] = (320, 240), first: int = 0
) -> np.ndarray:
    """A gray image, uint8 (H, W, 3), with a face at each place: left, top and side.

    `first` is the seed of the first face; those of the others follow.
    """
    image = Image.new("RGB", size, (90, 90, 90))
    for seed, (left, top, side) in enumerate(places, first):
        face = Image.fromarray(drawn_face(seed)).resize((side, side), Image.Resampling.BICUBIC)
        image.paste(face.convert("RGB"), (left, top))
    return np.asarray(image)


def empty_scene() -> np.ndarray:
    """Noise, uint8 (240, 320, 3)."""
    return np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8)
