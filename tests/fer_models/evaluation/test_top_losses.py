import numpy as np

from fer_models.evaluation.top_losses import confident_mistakes, face_of
from fer_models.metrics.prediction_table import Predictions

FACES = np.random.default_rng(0).integers(0, 256, (4, 48, 48, 1), np.uint8)
PROBABILITIES = np.array([[0.6, 0.4], [0.1, 0.9], [0.2, 0.8], [0.3, 0.7]], np.float32)
LABELS = np.array([1, 0, 1, 0])


def test_the_surest_mistake_comes_first_with_its_face() -> None:
    found = confident_mistakes(
        Predictions(LABELS, PROBABILITIES), paths=["a", "b", "c", "d"], faces=FACES,
        expressions=("happy", "sad"), number=2,
    )  # fmt: skip
    assert found["path"].tolist() == ["b", "d"]
    assert found["label"].tolist() == ["happy", "happy"]
    assert found["prediction"].tolist() == ["sad", "sad"]
    np.testing.assert_allclose(found["confidence"], [0.9, 0.7])
    np.testing.assert_allclose(found["label_probability"], [0.1, 0.3])
    np.testing.assert_array_equal(face_of(found["pixels"][0]), FACES[1, :, :, 0])


def test_a_faultless_model_has_none() -> None:
    found = confident_mistakes(
        Predictions(PROBABILITIES.argmax(axis=1), PROBABILITIES), paths=["a", "b", "c", "d"],
        faces=FACES, expressions=("happy", "sad"), number=24,
    )  # fmt: skip
    assert found.empty
    assert "pixels" in found
