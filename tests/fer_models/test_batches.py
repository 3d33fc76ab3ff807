import numpy as np
import pytest

from fer_models.batches import training_batches


def epochs(seed: int, count: int = 2) -> list[list[int]]:
    rows, squares = np.arange(10), np.arange(10) ** 2
    batches = training_batches(rows, squares, batch_size=4, seed=seed)
    orders = []
    for _ in range(count):
        parts = list(batches.as_numpy_iterator())
        assert [len(part) for part, _ in parts] == [4, 4, 2]
        for part, square in parts:
            np.testing.assert_array_equal(square, part**2)
        orders.append(np.concatenate([part for part, _ in parts]).tolist())
    return orders


def test_each_epoch_has_every_row_once_in_an_order_of_its_own() -> None:
    first, second = epochs(seed=0)
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second


@pytest.mark.parametrize("seed", [0, 7])
def test_the_seed_decides_the_orders(seed: int) -> None:
    assert epochs(seed) == epochs(seed)
    assert epochs(seed) != epochs(seed + 1)
