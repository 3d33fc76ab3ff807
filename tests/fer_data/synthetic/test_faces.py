import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from fer_data.core.errors import UserError
from fer_data.synthetic.faces import VARIANTS, draw_face

SIX = ("angry", "fear", "happy", "neutral", "sad", "surprise")


def block_gradients(faces: np.ndarray) -> np.ndarray:
    """Gradients of faces (N, 48, 48) in four directions, averaged over 12x12 blocks: (N, 576)."""
    right = np.diff(faces.astype(float), axis=2, append=0)
    down = np.diff(faces.astype(float), axis=1, append=0)
    maps = np.stack([np.maximum(step, 0) for step in (right, -right, down, -down)], axis=1)
    means = maps.reshape(len(faces), 4, 12, 4, 12, 4).mean(axis=(3, 5)).reshape(len(faces), -1)
    return means / np.linalg.norm(means, axis=1, keepdims=True)


@pytest.mark.parametrize("expression", VARIANTS)
def test_a_face_is_an_image_with_contrast(expression):
    generator = np.random.default_rng(0)
    for _ in range(20):
        face = draw_face(expression, generator)
        assert face.dtype == np.uint8
        assert face.shape == (48, 48)
        assert face.std() > 10


def test_the_same_state_gives_the_same_face_and_the_next_state_another():
    generator, again = np.random.default_rng(3), np.random.default_rng(3)
    first = draw_face("sad", generator)
    assert np.array_equal(first, draw_face("sad", again))
    assert not np.array_equal(first, draw_face("sad", generator))


def test_faces_of_one_expression_vary_strongly():
    generator = np.random.default_rng(1)
    faces = np.stack([draw_face("neutral", generator) for _ in range(60)]).astype(float)
    assert faces.mean(axis=(1, 2)).std() > 15  # dark and light ones
    assert faces.std(axis=0).min() > 15  # no pixel stays as it is
    assert len({face.tobytes() for face in faces}) == 60


def test_expressions_of_the_same_person_differ_in_the_face_alone():
    faces = {name: draw_face(name, np.random.default_rng(8)).astype(float) for name in SIX}
    for name in set(SIX) - {"neutral"}:
        change = np.abs(faces[name] - faces["neutral"])
        assert change[12:44, 8:40].mean() > 2 * change[:6].mean(), name


def test_expressions_can_be_told_apart():
    generator = np.random.default_rng(0)
    labels = np.arange(900) % len(SIX)
    faces = np.stack([draw_face(SIX[label], generator) for label in labels])
    features = block_gradients(faces)
    judge = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
    judge.fit(features[:600], labels[:600])
    assert judge.score(features[600:], labels[600:]) > 0.6  # by chance 0.17


@pytest.mark.parametrize("expression", ["contempt", "Happy", ""])
def test_an_unknown_expression_is_refused(expression):
    with pytest.raises(UserError, match=f"'{expression}': expected one of angry, .*surprise"):
        draw_face(expression, np.random.default_rng(0))
