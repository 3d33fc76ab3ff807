import numpy as np
import pytest

from fer_models.batches import ordered_batches, training_batches


def orders(seed: int, epochs: range = range(2)) -> list[list[int]]:
    rows, squares = np.arange(10), np.arange(10) ** 2
    parts = list(
        training_batches(rows, squares, batch_size=4, seed=seed, epochs=epochs).as_numpy_iterator()
    )
    assert [len(part) for part, _ in parts] == [4, 4, 2] * len(epochs)
    for part, square in parts:
        np.testing.assert_array_equal(square, part**2)
    seen = np.concatenate([part for part, _ in parts])
    return seen.reshape(len(epochs), 10).tolist()


def test_each_epoch_has_every_row_once_in_an_order_of_its_own() -> None:
    first, second = orders(seed=0)
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second


@pytest.mark.parametrize("seed", [0, 7])
def test_the_seed_decides_the_orders(seed: int) -> None:
    assert orders(seed) == orders(seed)
    assert orders(seed) != orders(seed + 1)


def test_later_epochs_do_not_depend_on_earlier_ones() -> None:
    assert orders(3, range(5))[2:] == orders(3, range(2, 5))


def test_rows_in_order_come_once() -> None:
    parts = list(ordered_batches(np.arange(5), np.arange(5) ** 2, batch_size=3).as_numpy_iterator())
    assert [part.tolist() for part, _ in parts] == [[0, 1, 2], [3, 4]]
    assert [square.tolist() for _, square in parts] == [[0, 1, 4], [9, 16]]


def test_no_batches_have_a_tuner_that_may_miss_their_end() -> None:
    rows = np.arange(10)
    shuffled = training_batches(rows, batch_size=4, seed=0, epochs=range(1))
    for batches in (shuffled, ordered_batches(rows, batch_size=4)):
        assert batches.options().autotune.enabled is False
