from itertools import chain

import numpy as np
import pytest

from fer_data.core.errors import UserError
from fer_models.core.input_pipeline import num_batches, ordered_batches, training_batches


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


@pytest.mark.parametrize("num_devices", [2, 7, 8, 16])
def test_each_device_has_a_share_of_every_batch(num_devices: int) -> None:
    """49 rows in batches of 32 leave 17, of which 8 devices got 3, 3, 3, 3, 3, 2, none and none."""
    rows = np.arange(49)
    options = {"batch_size": 32, "num_devices": num_devices}
    shuffled = training_batches(rows, **options, seed=0, epochs=range(2))
    epochs = [share.tolist() for (share,) in shuffled.as_numpy_iterator()]
    in_order = [share.tolist() for (share,) in ordered_batches(rows, **options).as_numpy_iterator()]
    assert len(in_order) == num_devices * num_batches(49, **options) == 2 * num_devices
    assert list(chain(*in_order)) == rows.tolist()
    first, second = epochs[: len(in_order)], epochs[len(in_order) :]
    assert sorted(chain(*first)) == sorted(chain(*second)) == rows.tolist()
    assert first != second
    for shares in (first, second, in_order):
        sizes = {len(share) for share in shares}
        assert min(sizes) > 0
        assert max(sizes) - min(sizes) <= 1
        assert len({len(share) for share in shares[:num_devices]}) == 1  # Keras takes their mean


def test_as_many_batches_as_leave_no_device_without() -> None:
    assert num_batches(17, batch_size=8, num_devices=1) == 3
    assert num_batches(17, batch_size=8, num_devices=8) == 2
    assert num_batches(17, batch_size=32, num_devices=1) == 1
    assert num_batches(17, batch_size=32, num_devices=8) == 2  # one could not be shared evenly


@pytest.mark.parametrize(("batch_size", "num_rows"), [(4, 100), (32, 15)])
def test_more_devices_than_faces_are_one_line(batch_size: int, num_rows: int) -> None:
    with pytest.raises(UserError, match=f"batches of {batch_size} out of {num_rows} faces .* by 8"):
        num_batches(num_rows, batch_size=batch_size, num_devices=8)


def test_no_batches_have_a_tuner_that_may_miss_their_end() -> None:
    rows = np.arange(10)
    shuffled = training_batches(rows, batch_size=4, seed=0, epochs=range(1))
    for batches in (shuffled, ordered_batches(rows, batch_size=4)):
        assert batches.options().autotune.enabled is False
