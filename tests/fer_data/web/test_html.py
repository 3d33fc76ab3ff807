import base64
import io

import numpy as np
import pytest
from jinja2 import UndefinedError
from PIL import Image

from fer_data.web.html import UNKNOWN, count, decimal, duration, face_uri, percent, render_page

SPACE = "\N{NARROW NO-BREAK SPACE}"


def test_a_face_comes_back_from_its_uri() -> None:
    face = np.random.default_rng(0).integers(0, 256, (48, 48)).astype(np.uint8)
    uri = face_uri(face)
    head, _, data = uri.partition(",")
    assert head == "data:image/png;base64"
    with Image.open(io.BytesIO(base64.b64decode(data))) as image:
        assert image.mode == "L"
        np.testing.assert_array_equal(np.asarray(image), face)
    assert len(uri) < 3500


def test_a_read_only_slice_of_a_larger_array_is_a_face_too() -> None:
    faces = np.zeros((2, 48, 96), dtype=np.uint8)
    faces.flags.writeable = False
    assert face_uri(faces[1, :, ::2]).startswith("data:image/png;base64,")


@pytest.mark.parametrize(
    ("face", "got"),
    [
        (np.zeros((48, 48), np.float32), r"float32 \(48, 48\)"),
        (np.zeros((48, 48, 1), np.uint8), r"uint8 \(48, 48, 1\)"),
    ],
)
def test_what_is_no_face_is_refused(face: np.ndarray, got: str) -> None:
    with pytest.raises(ValueError, match=rf"got a face of {got}, expected uint8 \(48, 48\)"):
        face_uri(face)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (count(28273), "28,273"),
        (decimal(0.93456), "0.935"),
        (decimal(1, 1), "1.0"),
        (decimal(None), UNKNOWN),
        (decimal(float("nan")), UNKNOWN),
        (percent(0.5776), f"57.8{SPACE}%"),
        (percent(0.5776, 2), f"57.76{SPACE}%"),
        (percent(None), UNKNOWN),
        (duration(42.4), f"42{SPACE}s"),
        (duration(750), f"12.5{SPACE}min"),
        (duration(11520), f"3.2{SPACE}h"),
        (duration(None), UNKNOWN),
    ],
)
def test_numbers_in_words(text: str, expected: str) -> None:
    assert text == expected


def test_the_skeleton_is_a_whole_page_that_fetches_nothing() -> None:
    page = render_page("fer_data.web", "page.html.j2")
    assert page.startswith('<!DOCTYPE html>\n<html lang="en">')
    assert page.endswith("</html>\n")
    assert "prefers-color-scheme: dark" in page
    assert "width=device-width" in page
    for fetching in ("http", "@import", "src=", "url("):
        assert fetching not in page


def test_a_template_that_lacks_a_value_fails_instead_of_printing_nothing() -> None:
    with pytest.raises(UndefinedError, match="'folders' is undefined"):
        render_page("fer_data.quality_report", "quality_report.html.j2")
