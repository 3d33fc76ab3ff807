"""Bundles that earlier versions wrote are still read, and give what they gave."""

from pathlib import Path

import numpy as np

from fer_models.inference.model_store import open_model_store
from tests.support.models.tiny_dataset import EXPRESSIONS, banded_faces

BUNDLE = Path(__file__).parents[2] / "fixtures/format_1/bundle.zip"


def test_a_bundle_of_format_1_gives_the_probabilities_that_it_gave() -> None:
    store = open_model_store(bundle=BUNDLE)
    assert store.names == ("scratch",)
    assert store.expressions == EXPRESSIONS
    predictor = store.load("scratch")
    trust = predictor.trust
    assert trust is not None
    assert (trust.temperature, trust.threshold, trust.coverage) == (2.0, 0.3, 0.9)
    faces, _ = banded_faces(3)
    expected = [
        [0.000316, 0.001419, 0.998265],
        [0.004252, 0.158078, 0.837670],
        [0.007227, 0.170521, 0.822252],
    ]
    np.testing.assert_allclose(predictor.predict(faces).probabilities, expected, atol=1e-4)
