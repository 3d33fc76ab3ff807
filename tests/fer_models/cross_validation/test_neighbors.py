import numpy as np

from fer_models.cross_validation.neighbors import nearest


def test_the_nearest_are_those_of_least_angle_among_the_candidates() -> None:
    generator = np.random.default_rng(0)
    features = generator.normal(size=(3000, 6)).astype(np.float32)
    queries, candidates = np.arange(1500), np.arange(1500, 3000)
    found = nearest(features, queries=queries, candidates=candidates, number=3)
    centred = features - features[candidates].mean(axis=0)
    unit = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    expected = (-unit[queries] @ unit[candidates].T).argsort(axis=1)[:, :3] + 1500
    np.testing.assert_array_equal(found, expected)
    assert nearest(features, queries=queries, candidates=candidates[:2], number=9).shape == (
        1500,
        2,
    )
