"""Renders self-contained HTML pages: no script, style or image is fetched.

A page template lies in `templates/` of its own package and extends `page.html.j2`, which lies here and
brings the shared look. Everything that a template prints is escaped, unless it is `Markup`.
"""

import base64
import io
import math

import numpy as np
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from PIL import Image

from fer_data.core.schema import FACE_SIZE

UNKNOWN = "\N{EN DASH}"
"""Stands where a number is not known."""
NARROW_SPACE = "\N{NARROW NO-BREAK SPACE}"


def render_page(package: str, template: str, **context: object) -> str:
    """Renders a page.

    Args:
        package: The package in whose folder `templates/` the template lies: `"fer_data.review_app"`.
        template: The template's file name.
        **context: What the template prints. Besides, it has the filters `count`, `decimal`,
            `percent` and `duration`, after the functions below.

    Returns:
        The page, HTML in Unicode.

    Raises:
        jinja2.UndefinedError: The template prints something that `context` lacks.
    """
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(package), PackageLoader("fer_data.web")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(count=count, decimal=decimal, percent=percent, duration=duration)
    return environment.get_template(template).render(**context)


def face_png(face: np.ndarray) -> bytes:
    """A face, uint8 (48, 48), as a PNG file, about 2 kB long.

    Raises:
        ValueError: `face` has another type or shape.
    """
    if face.dtype != np.uint8 or face.shape != (FACE_SIZE, FACE_SIZE):
        raise ValueError(
            f"got a face of {face.dtype} {face.shape}, expected uint8 {(FACE_SIZE, FACE_SIZE)}"
        )
    buffer = io.BytesIO()
    Image.fromarray(face).save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def face_uri(face: np.ndarray) -> str:
    """A face, uint8 (48, 48), as a `data:` URI of a PNG, about 2.5 kB long.

    Raises:
        ValueError: `face` has another type or shape.
    """
    return "data:image/png;base64," + base64.b64encode(face_png(face)).decode("ascii")


def count(number: int) -> str:
    """A whole number with its thousands parted: `28,273`."""
    return f"{number:,}"


def decimal(value: float | None, digits: int = 3) -> str:
    """A number with a fixed number of digits: `0.935`; a dash for None and NaN."""
    return UNKNOWN if value is None or math.isnan(value) else f"{value:.{digits}f}"


def percent(fraction: float | None, digits: int = 1) -> str:
    """A fraction of 1 as a percentage, `57.8 %`, with a space that never breaks; or a dash."""
    if fraction is None or math.isnan(fraction):
        return UNKNOWN
    return f"{100 * fraction:.{digits}f}{NARROW_SPACE}%"


def duration(seconds: float | None) -> str:
    """Seconds in a reader's unit: `42 s`, `12.5 min` or `3.2 h`; or a dash."""
    if seconds is None or math.isnan(seconds):
        return UNKNOWN
    if seconds < 60:
        return f"{seconds:.0f}{NARROW_SPACE}s"
    if seconds < 3600:
        return f"{seconds / 60:.1f}{NARROW_SPACE}min"
    return f"{seconds / 3600:.1f}{NARROW_SPACE}h"
