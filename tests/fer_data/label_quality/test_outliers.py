import numpy as np
from PIL import Image, ImageDraw

from fer_data.label_quality import outliers
from fer_data.label_quality.outliers import outlier_scores
from fer_data.synthetic.faces import draw_face


def page_of_text() -> np.ndarray:
    page = Image.new("L", (48, 48), 255)
    pen = ImageDraw.Draw(page)
    for line in range(4, 48, 9):
        pen.text((2, line - 4), "no image here", fill=0)
    return np.asarray(page)


def test_error_images_stand_far_above_faces() -> None:
    generator = np.random.default_rng(0)
    expressions = ("angry", "happy", "sad", "neutral")
    faces = np.stack([draw_face(expressions[n % 4], generator) for n in range(400)])
    black = np.zeros((48, 48), np.uint8)
    sign = np.zeros((48, 48), np.uint8)
    sign[30:, 10:20] = 255
    no_faces = np.stack([page_of_text(), black, sign])
    scores = outlier_scores(np.concatenate([faces, no_faces]))
    assert scores.shape == (403,)
    assert scores[400:].min() > np.quantile(scores[:400], 0.995)
    assert abs(np.median(scores[:400])) < 1


def test_the_scores_do_not_depend_on_the_layout_in_memory_and_repeat() -> None:
    faces = np.random.default_rng(0).integers(0, 256, (4200, 48, 48), np.uint8)
    first = outlier_scores(faces)
    np.testing.assert_array_equal(first, outlier_scores(faces))
    np.testing.assert_allclose(
        first, outlier_scores(np.asfortranarray(faces)), rtol=1e-4, atol=1e-4
    )


def test_a_handful_of_equal_images_is_scored_too() -> None:
    assert np.isfinite(outlier_scores(np.full((3, 48, 48), 7, np.uint8))).all()


def test_some_rows_in_blocks_are_scored_as_if_they_were_all(monkeypatch) -> None:
    faces = np.random.default_rng(0).integers(0, 256, (300, 48, 48), np.uint8)
    rows = np.arange(0, 300, 2)
    expected = outlier_scores(faces[rows])
    np.testing.assert_array_equal(expected, outlier_scores(faces, rows))
    monkeypatch.setattr(outliers, "_LARGE_BLOCK", 40)
    np.testing.assert_allclose(expected, outlier_scores(faces, rows), atol=1e-3)
